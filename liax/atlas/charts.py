"""The atlas's charts, each an SVG file: what paths do, what codes look like, what a control moves besides itself.

Colours are told apart by the colour-blind (Okabe and Ito 2008).

Shapes: N people, L levels, F frames, C controls, R C rows and columns of a table, K pairs.
"""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from liax.attributes import DEGREES, SHARE, SIDES
from liax.controls_file import MeasuredControl

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.floating]

KIND = "svg+xml"
"""Of the files, as in `image/KIND`."""
UNITS = {DEGREES: "°", SIDES: "of the picture's side", SHARE: "of 0…1"}
"""As they are read."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00")
_INK, _FAINT, _GRID, _SAFE = "#333333", "#9aa3a8", "#dddddd", "#dcefe7"
_MOST_INCHES, _LEAST_ROW_INCHES = 20.0, 0.12
"""How high a table becomes at most, and from which height of its rows on each has its name."""
_DRAWN: Any = {
    "svg.fonttype": "none",  # the reader's own letters: a tenth of the bytes
    "svg.hashsalt": "liax",  # the same bytes every time
    "text.parse_math": False,  # a name is a name, whatever is in it
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.edgecolor": _FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def response_curves(levels_L: Floats, changes_NLC: Floats, names: Sequence[str]) -> bytes:
    """What a path moves: for each control the people's median, and between which values four of five people lie.

    Args:
        levels_L: coefficients.
        changes_NLC: in SDs of the population; NaN where no face was found.
        names: of the controls, at most as many as there are colours.
    """

    def draw(axis: "Axes") -> None:
        for place, name in enumerate(names):
            low_L, middle_L, high_L = _quantiles(changes_NLC[..., place], (0.1, 0.5, 0.9))
            axis.fill_between(levels_L, low_L, high_L, color=COLOURS[place], alpha=0.16, lw=0)
            axis.plot(levels_L, middle_L, color=COLOURS[place], marker="o", ms=2.5, lw=1.4, label=name)
        _cross(axis)
        axis.set(xlabel="code, δ", ylabel="change, SDs")
        if names:
            axis.legend(frameon=False, fontsize=7, handlelength=1.2)

    return _chart(draw, (3.4, 2.5))


def calibration(name: str, control: MeasuredControl, levels_L: Floats, changes_NL: Floats) -> bytes:
    """A control's curve over the people that it was measured on, with its safe range.

    Args:
        levels_L: coefficients t of its path.
        changes_NL: of its value, in its unit, by person; NaN where no face was found.
    """

    def draw(axis: "Axes") -> None:
        low, high = control.safe
        if low < high:
            axis.axhspan(low, high, color=_SAFE, lw=0, label="safe range")
        for person, change_L in enumerate(changes_NL):
            axis.plot(levels_L, change_L, color=_FAINT, lw=0.6, alpha=0.7, label=None if person else "each person")
        if control.units:
            axis.plot(control.coefficients, control.units, color=COLOURS[0], marker="o", ms=3, lw=1.8, label="curve")
        _cross(axis)
        axis.set(xlabel="coefficient, t", ylabel=f"change of {name}, {unit_text(control.unit)}")
        axis.legend(frameon=False, fontsize=7, handlelength=1.2)

    return _chart(draw, (4.2, 3.0))


def code_histogram(codes_F: Floats, levels_L: Floats | None = None) -> bytes:
    """How often a direction has which coefficient in held-out frames, with the levels that it was moved to."""

    def draw(axis: "Axes") -> None:
        finite_F = codes_F[np.isfinite(codes_F)]
        axis.hist(finite_F, bins=40, color=COLOURS[0], alpha=0.75, histtype="stepfilled")
        if levels_L is not None and finite_F.size:
            for place, level in enumerate(levels_L + np.median(finite_F)):
                axis.axvline(level, color=_INK, lw=0.6, ls=":", label=None if place else "levels")
            axis.legend(frameon=False, fontsize=7, handlelength=1.2)
        axis.set(xlabel="coefficient", ylabel="frames")

    return _chart(draw, (3.4, 2.5))


def heat_map(
    values_RC: Floats, rows: Sequence[str], columns: Sequence[str], shown: str, limit: float, written: bool = False
) -> bytes:
    """A table as colours: blue above 0, red below, grey where there is nothing.

    Args:
        shown: what the values are.
        limit: magnitude of the fullest colour.
        written: whether the values stand in their cells, too.
    """
    row_inches = min(0.2, _MOST_INCHES / max(len(rows), 1))

    def draw(axis: "Axes") -> None:
        axis.set_facecolor("#e4e4e4")
        found_RC = np.ma.masked_invalid(values_RC)
        cells = {"cmap": "RdBu", "vmin": -limit, "vmax": limit, "edgecolors": "white", "linewidth": 0.4}
        mesh = axis.pcolormesh(found_RC, rasterized=True, **cells)  # type: ignore[arg-type]
        axis.set_xticks(np.arange(len(columns)) + 0.5, columns, rotation=90, fontsize=7)
        named = np.arange(0, len(rows), max(1, round(_LEAST_ROW_INCHES / row_inches)))
        axis.set_yticks(named + 0.5, [rows[int(row)] for row in named], fontsize=7)
        axis.invert_yaxis()
        axis.tick_params(length=0)
        if written:
            _write(axis, values_RC, limit)
        assert axis.figure is not None  # it was made for one
        bar = axis.figure.colorbar(mesh, ax=axis, shrink=min(1.0, 10 / max(len(rows), 1)), aspect=25, extend="both")
        bar.set_label(shown)
        bar.ax.tick_params(labelsize=7)

    return _chart(draw, (1.9 + 0.27 * len(columns), 1.3 + row_inches * len(rows)))


def bars_beside(values: Mapping[str, Mapping[str, float]], shown: str) -> bytes:
    """Groups of bars: by group, by what each bar stands for."""
    kinds = list(dict.fromkeys(kind for group in values.values() for kind in group))

    def draw(axis: "Axes") -> None:
        width = 0.8 / max(len(kinds), 1)
        for place, kind in enumerate(kinds):
            heights = [group.get(kind, np.nan) for group in values.values()]
            at = np.arange(len(values)) + (place - (len(kinds) - 1) / 2) * width
            drawn = axis.bar(at, heights, width * 0.92, color=COLOURS[place % len(COLOURS)], label=kind)
            axis.bar_label(drawn, fmt="%.2f", fontsize=6.5, padding=1)
        axis.set_xticks(np.arange(len(values)), list(values))
        axis.set(ylabel=shown)
        axis.margins(y=0.12)
        if kinds:
            axis.legend(frameon=False, fontsize=7, ncols=len(kinds), loc="lower center", bbox_to_anchor=(0.5, 1.0))

    return _chart(draw, (max(3.6, 0.9 + 1.1 * len(values)), 2.6))


def similarities(cosine_K: Floats, bound: float) -> bytes:
    """How alike matched directions of two dictionaries are, from the most alike down.

    Args:
        cosine_K: of the signatures of each pair, of either sign.
        bound: from which magnitude on a pair counts as the same.
    """

    def draw(axis: "Axes") -> None:
        ordered_K = np.sort(np.abs(cosine_K))[::-1]
        axis.bar(np.arange(1, len(ordered_K) + 1), ordered_K, 0.8, color=COLOURS[0])
        axis.axhline(bound, color=_INK, lw=0.8, ls="--", label=f"the same: {bound:g}")
        axis.set(xlabel="pairs, most alike first", ylabel="likeness of what they do, |cos|", ylim=(0, 1.02))
        axis.legend(frameon=False, fontsize=7, handlelength=1.6)

    return _chart(draw, (4.6, 2.6))


def unit_text(unit: str) -> str:
    """A unit as it is read."""
    return UNITS.get(unit, unit)


def with_unit(number: str, unit: str) -> str:
    """A number with what cannot be guessed of its unit: a blendshape has none."""
    return number + {DEGREES: "°", SIDES: " side"}.get(unit, "")


def _chart(draw: Any, inches: tuple[float, float]) -> bytes:
    """One set of axes of this size, drawn into, as a file."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # not pyplot, whose figures are the whole process's
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_DRAWN):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", dpi=130, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _cross(axis: "Axes") -> None:
    """Faint lines through what moves nothing."""
    axis.axhline(0, color=_GRID, lw=0.8, zorder=0)
    axis.axvline(0, color=_GRID, lw=0.8, zorder=0)


def _write(axis: "Axes", values_RC: Floats, limit: float) -> None:
    """Values in their cells, those only that can be told from 0 by their colour."""
    for (row, column), value in np.ndenumerate(values_RC):
        if np.isfinite(value) and abs(value) >= limit / 10:
            ink = "white" if abs(value) > 0.6 * limit else _INK
            text = (
                f"{value:.2f}".replace("0.", ".").replace("-", "\N{MINUS SIGN}") if abs(value) < 10 else f"{value:.0f}"
            )
            axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=5.5, color=ink)


def _quantiles(values_NL: Floats, shares: Sequence[float]) -> Floats:
    """Over people, of those who have a value; NaN where nobody has."""
    found = np.full((len(shares), values_NL.shape[1]), np.nan)
    for level in range(values_NL.shape[1]):
        finite = values_NL[:, level][np.isfinite(values_NL[:, level])]
        if finite.size:
            found[:, level] = np.quantile(finite, shares)
    return found
