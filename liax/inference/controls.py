"""Names of a model's directions, and from settings such as yaw=0.2 to one step δ through the dictionary.

Legend: M directions.
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray

from liax.errors import UserError
from liax.progress import say

Direction = str | int
"""A direction's name, or its index (a whole number, also as text)."""

Settings = Mapping[str, float] | Mapping[int, float] | Mapping[Direction, float]
"""How far to go along each direction, in the dictionary's own units."""

USUAL_SPAN = (-0.5, 0.5)
"""How far a direction without a published range is shown. Our choice: the widest symmetric range of the release."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name for the sum of some directions, and how far they can be moved before the picture breaks."""

    indices: tuple[int, ...]
    span: tuple[float, float]


_TURN, _HEAD, _MOUTH, _EYES, _EYEBALLS = (-1.0, 0.5), (-0.5, 0.5), (-0.4, 0.4), (-0.4, 0.4), (-0.2, 0.2)
RELEASED: dict[str, Named] = {
    "yaw": Named((37, 39), _TURN),
    "yaw1": Named((37,), _TURN),
    "yaw2": Named((39,), _TURN),
    "pitch": Named((28,), _TURN),
    "roll": Named((15, 33), _HEAD),
    "roll1": Named((15,), _HEAD),
    "roll2": Named((33,), _HEAD),
    "neck": Named((31,), _HEAD),
    "pout": Named((6,), _MOUTH),
    "mouth": Named((25,), _MOUTH),  # closes to the one side, opens to the other
    "mouth_o": Named((16,), _MOUTH),
    "cheek": Named((19,), _MOUTH),
    "eyes": Named((13,), _EYES),  # closed to open
    "eyebrows": Named((24,), _EYES),
    "eyeballs": Named((17, 26), _EYEBALLS),
    "eyeballs1": Named((17,), _EYEBALLS),
    "eyeballs2": Named((26,), _EYEBALLS),
}
"""The released checkpoint's directions as its authors label them, with the ranges of their sliders.

They hold for that checkpoint only: in another dictionary the meaning of a direction has to be measured. Source: the
released LIA-X demo (arXiv 2508.09959).
"""
RELEASED_DIRECTIONS = 40


class Controls:
    """What a model's directions are called.

    Args:
        directions: M, how many there are.
        named: names that hold for this model; an index can always be used.
    """

    def __init__(self, directions: int, named: Mapping[str, Named] | None = None) -> None:
        self.directions, self.named = directions, dict(named or {})

    def indices(self, direction: Direction) -> tuple[int, ...]:
        """The directions that a name or index means. Raises UserError for one that there is not."""
        if isinstance(direction, str) and direction in self.named:
            return self.named[direction].indices
        if isinstance(direction, str) and not re.fullmatch(r"[+-]?[0-9]{1,9}", direction):
            raise UserError(f"no direction is called '{direction}': {self._known(direction)}")
        if not isinstance(direction, str | Integral):
            raise UserError(f"{direction} is no direction: give a name, or a whole number")
        index = int(direction)
        if not 0 <= index < self.directions:
            raise UserError(f"no direction {index}: this model has 0 to {self.directions - 1}")
        return (index,)

    def unit(self, direction: Direction) -> NDArray[np.float32]:
        """One step along a direction: δ_M, with 1 at each of its indices."""
        unit_M = np.zeros(self.directions, dtype=np.float32)
        unit_M[list(self.indices(direction))] = 1
        return unit_M

    def span(self, direction: Direction) -> tuple[float, float]:
        """The published range of a direction, or USUAL_SPAN where there is none."""
        wanted = self.indices(direction)
        return next((named.span for named in self.named.values() if set(wanted) <= set(named.indices)), USUAL_SPAN)

    def name(self, index: int) -> str | None:
        """The name of one direction alone, if it has one."""
        return next((name for name, named in self.named.items() if named.indices == (index,)), None)

    def delta(self, settings: Settings | None) -> NDArray[np.float32]:
        """The sum of all settings: δ_M. Says so where it leaves the published range.

        Raises:
            UserError: a direction that there is not, or a value that is not a finite number.
        """
        delta_M = np.zeros(self.directions, dtype=np.float64)
        for direction, value in (settings or {}).items():
            unit_M = self.unit(direction)
            if not isinstance(value, Real) or not math.isfinite(value):
                raise UserError(f"{direction}={value} cannot be set: give a finite number")
            delta_M += value * unit_M.astype(np.float64)
        for index in np.flatnonzero(delta_M):
            self._warn(int(index), float(delta_M[index]))
        return delta_M.astype(np.float32)

    def _warn(self, index: int, value: float) -> None:
        name = self.name(index)
        if name is None:
            return
        low, high = self.named[name].span
        if not low - 1e-6 <= value <= high + 1e-6:
            say(f"warning: {name}={value:g} is outside the published range {low:g} to {high:g}; the face may break")

    def _known(self, name: str) -> str:
        indices = f"an index from 0 to {self.directions - 1}"
        if not self.named:
            return f"this model's directions have no names, give {indices}"
        near = difflib.get_close_matches(name.lower(), self.named, n=2)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        return f"{hint}there are {', '.join(self.named)}, and {indices}"


def parse_settings(texts: Iterable[str]) -> dict[str, float]:
    """`NAME=VALUE` texts as settings; what is given twice adds up.

    Raises:
        UserError: a text that is not of that form, or whose value is not a finite number.
    """
    settings: dict[str, float] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not name or not equals or not math.isfinite(number):
            raise UserError(f"'{text}' is no setting: write NAME=VALUE, for example yaw=0.2")
        settings[name] = settings.get(name, 0.0) + number
    return settings
