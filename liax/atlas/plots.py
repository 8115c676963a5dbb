"""The atlas's plots, as files and for the page.

Shapes: N people, P paths, L levels, A attributes, C controls, M directions, R C rows and columns of a table.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liax.atlas import charts
from liax.atlas.atoms import Atom
from liax.atlas.shown import Shown
from liax.attributes import CONTROLS, readout
from liax.controls_file import ControlsFile
from liax.html_page import words

Floats = NDArray[np.floating]

MOST_CURVES = 4
"""How many controls are drawn with a direction."""
SMALL = 0.1
"""Slopes below this share of the direction's strongest one are not drawn. Our choice."""
THERE_AND_BACK_SDS = 0.5
"""A direction without a clear slope that still moves a control by this much is said to do so. Our choice."""


def plots(shown: Shown) -> dict[str, bytes]:
    """All of them, SVG by name: `effects`, `cross_talk`, `codes`, `stability/PLACE` for each other atlas,
    `calibration/NAME` of each traced control, `codes/NUMBER` and `response/NUMBER` of each direction. Those that there
    is nothing for are left out."""
    whole = {
        "effects": _effects(shown.atoms),
        "cross_talk": _cross_talk(shown),
        "codes": _codes(shown.scores.get("passive") or {}),
    }
    drawn = {name: svg for name, svg in whole.items() if svg is not None}
    return drawn | dict(_stability(shown)) | dict(_calibrations(shown)) | dict(_of_directions(shown))


def strong(atom: Atom) -> list[tuple[str, float]]:
    """A direction's clear slopes that are not small beside the strongest, from that one down."""
    clear = [(name, atom.slopes[name] or 0.0) for name in atom.clear]
    most = max((abs(slope) for _, slope in clear), default=0.0)
    return sorted((item for item in clear if abs(item[1]) >= SMALL * most), key=lambda item: -abs(item[1]))


def widest(atom: Atom) -> str | None:
    """The control that changes most along a direction, where that is worth a word."""
    name, span = max(atom.spans.items(), key=lambda item: item[1] or 0.0, default=("", None))
    return name if (span or 0.0) >= THERE_AND_BACK_SDS else None


def cross_talk(file: ControlsFile, spread: Mapping[str, float]) -> tuple[list[str], list[str], Floats]:
    """What each control that can be used moves besides itself: its name, the others', and the others' change in their
    SDs for a change of one SD in its own; NaN where that is not known."""
    rows = [name for name, control in file.controls.items() if control.status != "unavailable"]
    columns = list(dict.fromkeys([*rows, *(other for name in rows for other in file.controls[name].cross_talk)]))
    values_RC = np.full((len(rows), len(columns)), np.nan)
    for place, name in enumerate(rows):
        for other, change in file.controls[name].cross_talk.items():
            scale = spread.get(other, np.nan)
            if scale > 0:
                values_RC[place, columns.index(other)] = change * spread.get(name, np.nan) / scale
        values_RC[place, columns.index(name)] = 1.0
    return rows, columns, values_RC


def _effects(atoms: list[Atom]) -> bytes | None:
    names = list(atoms[0].slopes) if atoms else []
    if not names:
        return None
    values_MC = np.array([[atom.slopes[name] for name in names] for atom in atoms], dtype=float)  # None becomes NaN
    return charts.heat_map(values_MC, [str(atom.direction) for atom in atoms], names, "slope, SDs per SD", 1.0)


def _cross_talk(shown: Shown) -> bytes | None:
    rows, columns, values_RC = cross_talk(shown.controls, shown.spread.by_control)
    return charts.heat_map(values_RC, rows, columns, "change, SDs for 1 SD", 1.0, written=True) if rows else None


def _codes(passive: Mapping[str, Any]) -> bytes | None:
    """Hoyer's measure of the codes and of Gaussian numbers, by what was measured."""
    groups = {}
    for kind in ("absolute", "relative"):
        numbers = passive.get(kind) or {}
        for form, title in (("", "raw"), ("_normalised", "normalised")):
            if f"hoyer{form}" in numbers and f"hoyer_gaussian{form}" in numbers:
                pair = {"codes": numbers[f"hoyer{form}"], "Gaussian numbers": numbers[f"hoyer_gaussian{form}"]}
                groups[f"{kind},\n{title}"] = pair
    return charts.bars_beside(groups, "Hoyer") if groups else None


def _stability(shown: Shown) -> Iterator[tuple[str, bytes]]:
    for place, found in enumerate((shown.scores.get("stability") or {}).values()):
        cosines = np.array([one["cosine"] for one in found["matches"]])
        if len(cosines):
            yield f"stability/{place}", charts.similarities(cosines, found["alike"])


def _calibrations(shown: Shown) -> Iterator[tuple[str, bytes]]:
    """Of the controls whose paths were traced."""
    response = shown.controls_response
    for path, name in enumerate(response.paths if response is not None else ()):
        if response is not None and name in shown.controls.controls and name in CONTROLS:
            changes_NL = (response.changes_NPLA[:, path] @ readout((name,)).T)[..., 0]
            control = shown.controls.controls[name]
            yield f"calibration/{name}", charts.calibration(words(name), control, response.levels_PL[path], changes_NL)


def _of_directions(shown: Shown) -> Iterator[tuple[str, bytes]]:
    """How often each has which coefficient, and what it moves then."""
    response = shown.directions
    changes_NPLC = response.changes_NPLA @ readout().T / shown.spread.control_C
    names = list(CONTROLS)
    for atom in shown.atoms:
        path = response.paths.index(str(atom.direction))
        levels_L = response.levels_PL[path]
        codes_F = shown.observed.codes_FM[:, atom.direction]
        yield f"codes/{atom.direction}", charts.code_histogram(codes_F, levels_L)
        moved = [name for name, _ in strong(atom)][:MOST_CURVES] or [name for name in [widest(atom)] if name]
        if moved:
            chosen_NLC = changes_NPLC[:, path][..., [names.index(name) for name in moved]]
            yield f"response/{atom.direction}", charts.response_curves(levels_L, chosen_NLC, list(map(words, moved)))
