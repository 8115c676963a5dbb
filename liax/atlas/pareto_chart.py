"""Trainings as a picture: how near to the frames each is against how sparse its codes are, with the Pareto front."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = "osD^vP*Xhp"
_TITLES = {
    "hoyer": "Hoyer sparsity of codes, raw",
    "hoyer_normalised": "Hoyer sparsity of codes, normalised",
    "gini": "Gini index of codes, raw",
    "gini_normalised": "Gini index of codes, normalised",
}


class Point(Protocol):
    """What is drawn of a run: see `liax.atlas.pareto.RunPoint`."""

    @property
    def sparsity_weight(self) -> float | None: ...
    @property
    def directions(self) -> int: ...
    @property
    def codes(self) -> dict[str, float]: ...
    @property
    def observation(self) -> dict[str, float | None]: ...
    @property
    def l1(self) -> float: ...
    @property
    def on_front(self) -> bool: ...


def pareto_png(points: Sequence[Point], sparsity: str) -> bytes:
    """A PNG: right is sparser and up is nearer to the frames; the marker says the dictionary's size, the colour how
    disentangled the codes are (grey where that is not known), the text the sparsity weight."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # not pyplot, whose figures are the whole process's
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    _draw_front(axis, points, sparsity)
    known = [point.observation["disentanglement"] for point in points]
    found = [value for value in known if value is not None]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    shades = {"cmap": "viridis", "vmin": low, "vmax": high if high > low else low + 1e-6}
    sizes = sorted({point.directions for point in points})
    for place, size in enumerate(sizes):
        marker = _MARKERS[place % len(_MARKERS)]
        of_size = [point for point in points if point.directions == size]
        axis.scatter([], [], marker=marker, color="#555555", label=f"{size} directions")
        for point in of_size:
            value = point.observation["disentanglement"]
            colour = {"color": "#aaaaaa"} if value is None else {"c": [value], **shades}
            axis.scatter([point.codes[sparsity]], [point.l1], marker=marker, s=55, zorder=3, **colour)
            weight = "λ unknown" if point.sparsity_weight is None else f"λ = {point.sparsity_weight:g}"
            at = (point.codes[sparsity], point.l1)
            axis.annotate(weight, at, xytext=(6, 5), textcoords="offset points", fontsize=7)
    if found:
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import Normalize

        mapped = ScalarMappable(Normalize(shades["vmin"], shades["vmax"]), "viridis")  # type: ignore[arg-type]
        figure.colorbar(mapped, ax=axis, label="DCI disentanglement")
    axis.invert_yaxis()
    axis.set(xlabel=f"{_TITLES.get(sparsity, sparsity)} (right: sparser)", ylabel="L1 of redrawn frames (up: nearer)")
    axis.margins(0.12)
    axis.grid(color="#e5e5e5", zorder=0)
    axis.legend(frameon=False, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _draw_front(axis: "Axes", points: Sequence[Point], sparsity: str) -> None:
    """The runs that no other beats, joined in steps: what lies behind the line, some run on it beats."""
    best = sorted((point.codes[sparsity], point.l1) for point in points if point.on_front)
    across, up = zip(*best, strict=True)
    axis.step(across, up, where="pre", color="#d55e00", lw=1.4, label="Pareto front", zorder=2)
