"""What a model's directions are called, and from settings such as yaw=+10 to one step δ through the dictionary.

Legend: M directions.
"""

import difflib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from liax.controls_file import ControlsFile, MeasuredControl
from liax.errors import UserError
from liax.inference import measured
from liax.inference.measured import with_unit
from liax.inference.released import Named
from liax.progress import say

Direction = str | int
"""A control's name, or a direction's index (a whole number, also as text)."""

Settings = Mapping[str, float] | Mapping[int, float] | Mapping[Direction, float]
"""How far to move: measured controls in their units, what has a published name or an index in the dictionary's own."""

USUAL_SPAN = (-0.5, 0.5)
"""How far a direction without a known range is shown. Our choice: the widest symmetric range of the release."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A name that can be set, or cannot though one might look for it, for people to choose from.

    Args:
        name: as settings take it.
        unit: of its values, see `liax.attributes`; empty for the dictionary's own, which have none.
        span: from how far to how far, 0 among them: the safe range, the published one, or USUAL_SPAN.
        status: how a measured control was found to be; `published` or `index` for what was not measured.
        meaning: what a positive value does; empty where nobody knows.
        reason: why it is not certified.
        error: mean distance of what it gives from what it is set to; None where that is not known.
    """

    name: str
    unit: str
    span: tuple[float, float]
    status: Literal["certified", "approximate", "unavailable", "published", "index"]
    meaning: str = ""
    reason: str = ""
    error: float | None = None


class Controls:
    """What a model's directions are called. An index can always be used.

    Args:
        directions: M, how many there are.
        named: published names, which hold for this model as long as it has not been measured.
        file: what was measured of this model; its names take the place of the published ones.

    Raises:
        UserError: the file is about a dictionary of another size.
    """

    def __init__(
        self, directions: int, named: Mapping[str, Named] | None = None, file: ControlsFile | None = None
    ) -> None:
        if file is not None and file.directions != directions:
            raise UserError(
                f"the controls are those of {file.directions} directions, and this model has {directions}: "
                "measure it with `liax atlas`"
            )
        self.directions = directions
        self.measured: dict[str, MeasuredControl] = {} if file is None else dict(file.controls)
        self.named: dict[str, Named] = dict(named or {}) if file is None else {}

    def choices(self) -> list[Choice]:
        """All names of this model, those that cannot be set as well; without any, its indices."""
        found = [
            Choice(
                name,
                control.unit,
                (0.0, 0.0) if control.status == "unavailable" else control.safe,
                control.status,
                control.meaning,
                control.reason,
                control.error,
            )
            for name, control in self.measured.items()
        ]
        found += [Choice(name, "", named.span, "published") for name, named in self.named.items()]
        return found or [Choice(str(index), "", USUAL_SPAN, "index") for index in range(self.directions)]

    def indices(self, direction: Direction) -> tuple[int, ...]:
        """The directions that a name or index means.

        Raises:
            UserError: there is no such direction, or the model cannot do what the name says.
        """
        control = self.control(direction)
        if control is not None:
            return tuple(control.weights)
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

    def control(self, direction: Direction) -> MeasuredControl | None:
        """The measured control of that name; None for anything else. Raises UserError if the model cannot do it."""
        control = self.measured.get(direction) if isinstance(direction, str) else None
        if control is not None and control.status == "unavailable":
            able = ", ".join(self._able()) or f"only {self._indices()}"
            raise UserError(f"this model cannot do {direction}: {control.reason}; it can do {able}")
        return control

    def unit(self, direction: Direction) -> str:
        """The unit that a direction is set in; empty for the dictionary's own."""
        control = self.control(direction)
        return "" if control is None else control.unit

    def step(self, direction: Direction, value: float) -> NDArray[np.float32]:
        """δ_M of one direction alone; nothing is said of its range. Raises UserError as `indices` does."""
        control = self.control(direction)
        if control is not None:
            return measured.step(control, value, self.directions).astype(np.float32)
        step_M = np.zeros(self.directions, dtype=np.float32)
        step_M[list(self.indices(direction))] = value
        return step_M

    def span(self, direction: Direction) -> tuple[float, float]:
        """The safe or published range of a direction, or USUAL_SPAN where nobody knows one."""
        control = self.control(direction)
        if control is not None:
            return control.safe
        wanted = self.indices(direction)
        return next((named.span for named in self.named.values() if set(wanted) <= set(named.indices)), USUAL_SPAN)

    def name(self, index: int) -> str | None:
        """The published name of one direction alone, if it has one."""
        return next((name for name, named in self.named.items() if named.indices == (index,)), None)

    def delta(
        self,
        settings: Settings | None,
        unsafe: bool = False,
        *,
        quiet: bool = False,
        start: Mapping[str, float] | None = None,
    ) -> NDArray[np.float32]:
        """The sum of all settings: δ_M.

        Measured controls are held to their safe ranges, and so set that each has its value though the others move it
        too (see `liax.inference.measured.compensated`); one that is set to 0 is kept where it is. Published names and
        indices are taken as they are. A line says what was not followed, or is not to be relied on.

        Args:
            unsafe: go out of safe ranges, along the straight continuation of what was measured.
            quiet: say nothing.
            start: the measured controls' values before the change: lines speak of the values after it.

        Raises:
            UserError: a direction that there is not or that the model cannot do, or a value that is no finite number.
        """
        raw_M, wanted = self._sorted(settings or {})
        kept = dict(wanted) if unsafe else {name: self._held(name, value) for name, value in wanted.items()}
        values, expected = measured.compensated(self.measured, kept, bounded=not unsafe)
        if not quiet:
            for line in self._warnings(raw_M, wanted, kept, expected, start):
                say(f"warning: {line}")
        steps = [measured.step(self.measured[name], value, self.directions) for name, value in values.items()]
        return sum(steps, start=raw_M).astype(np.float32)

    def _sorted(self, settings: Settings) -> tuple[NDArray[np.float64], dict[str, float]]:
        """The sum of what is set without units, δ_M, and the measured controls that are set."""
        raw_M = np.zeros(self.directions)
        wanted: dict[str, float] = {}
        for direction, value in settings.items():
            self.indices(direction)
            if not isinstance(value, Real) or not math.isfinite(value):
                raise UserError(f"{direction}={value} cannot be set: give a finite number")
            if isinstance(direction, str) and direction in self.measured:
                wanted[direction] = float(value)
            else:
                raw_M += float(value) * self.step(direction, 1).astype(np.float64)
        return raw_M, wanted

    def _held(self, name: str, value: float) -> float:
        low, high = self.span(name)
        return min(max(value, low), high)

    def _warnings(
        self,
        raw_M: NDArray[np.float64],
        wanted: Mapping[str, float],
        kept: Mapping[str, float],
        expected: Mapping[str, float],
        start: Mapping[str, float] | None,
    ) -> Iterator[str]:
        """What was not followed, or is not to be relied on."""
        for index in np.flatnonzero(raw_M):
            yield from self._beyond_published(int(index), float(raw_M[index]))
        for name, value in wanted.items():
            yield from self._approximate(name)
            yield from self._beyond_safe(name, value, kept[name], start)
        short = [name for name in kept if measured.missed(self.measured[name], kept[name], expected[name])]
        if short:
            after = {name: expected[name] + (start[name] if start else 0) for name in short}
            shown = ", ".join(f"{name} {with_unit(after[name], self.measured[name].unit)}" for name in short)
            yield f"{' and '.join(kept)} move each other and cannot all be had: expect {shown}"

    def _beyond_safe(self, name: str, value: float, kept: float, start: Mapping[str, float] | None) -> Iterator[str]:
        low, high = self.span(name)
        if low - 1e-9 <= value <= high + 1e-9:
            return
        unit = self.measured[name].unit
        safe = f"{low:g} to {with_unit(high, unit)}"
        if start is None:
            outside, held = f"{name}={value:g} is outside the safe range {safe}", "set to"
        else:
            asked = f"{name} {with_unit(start[name] + value, unit)}"
            outside, held = f"{asked} needs a change of {with_unit(value, unit)}, and safe is {safe}", "changed by"
        if kept == value:
            yield f"{outside}; the face may break, or become another person's"
        else:
            yield f"{outside}: {held} {with_unit(kept, unit)}; unsafe goes further"

    def _beyond_published(self, index: int, value: float) -> Iterator[str]:
        name = self.name(index)
        if name is None:
            return
        low, high = self.named[name].span
        if not low - 1e-6 <= value <= high + 1e-6:
            yield f"{name}={value:g} is outside the published range {low:g} to {high:g}; the face may break"

    def _approximate(self, name: str) -> Iterator[str]:
        control = self.measured[name]
        if control.status == "approximate":
            error = "" if control.error is None else f", off by {with_unit(control.error, control.unit)} on average"
            yield f"{name} is approximate{error}" + (f": {control.reason}" if control.reason else "")

    def _able(self) -> list[str]:
        return [name for name, control in self.measured.items() if control.status != "unavailable"]

    def _indices(self) -> str:
        return f"an index from 0 to {self.directions - 1}"

    def _known(self, name: str) -> str:
        names = self._able() or list(self.named)
        if not names:
            return f"this model's directions have no names, give {self._indices()}; `liax atlas` finds out what they do"
        near = difflib.get_close_matches(name.lower(), [*self.measured, *self.named], n=2)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        return f"{hint}there are {', '.join(names)}, and {self._indices()}"


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
