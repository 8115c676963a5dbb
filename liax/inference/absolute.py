"""A portrait moved until it shows what was asked for: measured, moved by the difference, measured again, corrected.

Legend: M directions, S side in pixels, C controls that are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from liax.attributes import CONTROLS, attributes_of, readout
from liax.errors import UserError
from liax.face import Face, FaceFinder
from liax.inference.controls import Controls, Settings
from liax.inference.measured import with_unit
from liax.inference.rendering import Rendering
from liax.pictures import Picture
from liax.progress import say

CORRECTIONS = 2
CLOSE = 0.25
"""Share of the error that a certified control keeps (`liax.attributes`) below which nothing is corrected any more.
Our choice: MediaPipe's own noise is about as much."""


GAINS = (0.4, 2.5)
"""How much less or more than the usual person's change one person's may be thought to be. Our choice."""

Floats = NDArray[np.float64]


class Finding(Protocol):
    """What is needed of `liax.face.FaceFinder`."""

    def find(self, picture_HWC: Picture) -> list[Face]:
        """All faces of an uint8 RGB picture, the largest first."""
        ...


@dataclass(frozen=True, slots=True)
class Reached:
    """A moved portrait.

    Args:
        picture_SSC: uint8.
        values: what was asked for, as measured on the picture; empty where no face is found in it.
    """

    picture_SSC: Picture
    values: dict[str, float]


def wanted_values(controls: Controls, settings: Settings) -> dict[str, float]:
    """The values by name. Raises UserError where something is set whose value cannot be measured in a picture."""
    controls.delta(settings, quiet=True)  # refuses what cannot be set at all
    for direction in settings:
        if direction not in controls.measured or direction not in CONTROLS:
            able = [choice.name for choice in controls.choices() if choice.status in ("certified", "approximate")]
            raise UserError(
                f"{direction} has no value that could be measured in a picture, so it cannot be absolute: "
                + (f"set {', '.join(able)}" if able else "measure the model with `liax atlas` first")
            )
    return {str(direction): float(value) for direction, value in settings.items()}


def reach_all(
    renderer: Rendering,
    controls: Controls,
    portraits: Sequence[Picture],
    wanted: dict[str, float],
    unsafe: bool = False,
) -> list[Picture]:
    """Each portrait, uint8 S×S×3, moved as by `reach`, which see; a line says how near it came."""
    results = []
    with FaceFinder(max_faces=1) as finder:
        for number, portrait_SSC in enumerate(portraits, start=1):
            reached = reach(renderer, controls, portrait_SSC, wanted, finder, unsafe)
            results.append(reached.picture_SSC)
            who = f"face {number}: " if len(portraits) > 1 else ""
            say(who + _described(wanted, reached, {name: controls.unit(name) for name in wanted}))
    return results


def reach(
    renderer: Rendering,
    controls: Controls,
    portrait_SSC: Picture,
    wanted: dict[str, float],
    finder: Finding,
    unsafe: bool = False,
) -> Reached:
    """A portrait moved until it shows the wanted values.

    What the model draws of the unmoved portrait is measured, not the portrait: the model moves what it draws. The
    controls are set to the difference. What is still missing then is added to the settings, divided by the share of
    the change that came so far, at most CORRECTIONS times; the nearest picture counts.

    Args:
        portrait_SSC: uint8, framed as `liax.crop` does.
        wanted: see `wanted_values`.
        unsafe: go out of safe ranges, which count from where the portrait is.

    Raises:
        UserError: no face is found in the unmoved picture.
    """
    source = renderer.encode([portrait_SSC])

    def drawn(delta_M: NDArray[np.float32]) -> Picture:
        delta_1M = torch.from_numpy(delta_M)[None].to(renderer.device)
        return renderer.decode(renderer.navigate(source.z_BD, source.motion_BM + delta_1M), source.features)[0]

    names = list(wanted)
    wanted_C = np.array([wanted[name] for name in names])
    errors_C = np.array([CONTROLS[name].error for name in names])
    start_C = _measured(finder, drawn(np.zeros(controls.directions, dtype=np.float32)), names)
    if start_C is None:
        raise UserError(
            "no face is found in what the model draws of the unmoved portrait, so its values cannot be measured: "
            "leave out --absolute, or choose another portrait"
        )
    settings_C, delta_M, least = wanted_C - start_C, None, np.inf
    start = dict(zip(names, start_C.tolist(), strict=True))
    best: Reached | None = None
    for correction in range(CORRECTIONS + 1):
        settings = dict(zip(names, settings_C.tolist(), strict=True))
        before_M, delta_M = delta_M, controls.delta(settings, unsafe, quiet=correction > 0, start=start)
        if before_M is not None and np.array_equal(before_M, delta_M):  # at the end of its range
            break
        picture_SSC = drawn(delta_M)
        found_C = _measured(finder, picture_SSC, names)
        if found_C is None:
            return best or Reached(picture_SSC, {})
        error = float(np.max(np.abs(wanted_C - found_C) / errors_C))
        if error < least:
            best, least = Reached(picture_SSC, dict(zip(names, found_C.tolist(), strict=True))), error
        if error <= CLOSE:
            break
        settings_C = settings_C + (wanted_C - found_C) / _gains(settings_C, found_C - start_C, errors_C)
    assert best is not None, "the first round ends with a picture"
    return best


def _measured(finder: Finding, picture_SSC: Picture, names: Sequence[str]) -> Floats | None:
    """The controls' values C in a picture; None where there is no face."""
    faces = finder.find(picture_SSC)
    if not faces:
        return None
    return readout(tuple(names)) @ attributes_of(faces[0], picture_SSC.shape[0])


def _gains(settings_C: Floats, changes_C: Floats, errors_C: Floats) -> Floats:
    """How much of each setting came, 1 where it was too small to say; within bounds, since MediaPipe is not exact."""
    gains_C = np.ones_like(settings_C)
    large_C = np.abs(settings_C) > errors_C
    gains_C[large_C] = np.clip(changes_C[large_C] / settings_C[large_C], *GAINS)
    return gains_C


def _described(wanted: dict[str, float], reached: Reached, units: dict[str, str]) -> str:
    if not reached.values:
        return "warning: no face is found in the moved picture: what was reached is not known"
    each = (f"{name} {reached.values[name]:.3g} of {with_unit(wanted[name], units[name])}" for name in wanted)
    return f"reached {', '.join(each)}"
