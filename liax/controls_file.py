"""The file `controls.json`: what a model's controls are called, what they do, how far and how well. Written by
`liax atlas`; read wherever a model is used.

Legend: M directions of the dictionary.
"""

import json
import math
from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from liax import storage
from liax.attributes import DEGREES, SHARE, SIDES
from liax.config import Config, build
from liax.errors import UserError

CONTROLS_FILE = "controls.json"
Status = Literal["certified", "approximate", "unavailable"]
_ROUNDING = 1e-6


class MeasuredControl(Config):
    """One control. Its coefficient t moves the code by δ_M = t · weights."""

    unit: str
    """Of its values: see `liax.attributes`."""
    meaning: str
    """What a positive value does, for people."""
    status: Status
    reason: str = ""
    """Why it is no better than that; empty for a certified one."""
    weights: dict[int, float] = Field(default_factory=dict)
    """By direction; the largest magnitude is 1. Empty where nothing moves it."""
    units: list[float] = Field(default_factory=list)
    """The calibration curve: changes of the control's value, ascending, with 0 among them …"""
    coefficients: list[float] = Field(default_factory=list)
    """… and the t that gives each, ascending too, 0 for 0."""
    safe: tuple[float, float] = (0.0, 0.0)
    """Changes within which faces stay faces, and the same person's."""
    r2: float | None = None
    """Share of the variance of what was found that what was asked for explains, on people it was not fitted on."""
    error: float | None = None
    """Mean distance of what was found from what was asked for, on people it was not fitted on, in the unit."""
    cross_talk: dict[str, float] = Field(default_factory=dict)
    """By other control: its change, in its own unit, for a change of 1 in this one's."""
    second: float | None = None
    """Correlation of the change with what a second observer saw, -1…1; None where it cannot see this, saw too few faces
    (`reason` says so), or was not there (then `measured_on` names no `second`)."""

    @model_validator(mode="after")
    def _check_numbers(self) -> Self:
        if self.unit not in (DEGREES, SIDES, SHARE):
            raise ValueError(f"its unit is {self.unit!r}, and must be {DEGREES}, {SIDES} or {SHARE}")
        single = [one for one in (self.r2, self.error, self.second) if one is not None]
        if not all(map(math.isfinite, [*self.safe, *self.cross_talk.values(), *single])):
            raise ValueError("safe, r2, error, second and cross_talk must be finite")
        if self.error is not None and self.error < 0:
            raise ValueError(f"its error is {self.error:g}, and must be 0 or more")
        if self.second is not None and not -1 - _ROUNDING <= self.second <= 1 + _ROUNDING:
            raise ValueError(f"second is {self.second:g}, and must be from -1 to 1")
        if not self.safe[0] <= 0 <= self.safe[1]:
            raise ValueError(f"its safe range {list(self.safe)} must go up, with 0 in it")
        return self

    @model_validator(mode="after")
    def _check_curve(self) -> Self:
        if self.status == "unavailable":
            return self
        pairs = list(zip(self.units, self.coefficients, strict=False))
        rising = all(a < b for values in (self.units, self.coefficients) for a, b in pairwise(values))
        if len(self.units) != len(self.coefficients) or len(pairs) < 2 or not rising or (0.0, 0.0) not in pairs:
            raise ValueError("units and coefficients must be equally many, both ascending, with 0 for 0")
        if not self.weights or not all(map(math.isfinite, [*self.units, *self.coefficients, *self.weights.values()])):
            raise ValueError("it has no weights, or numbers that are not finite")
        if self.safe[0] < self.units[0] - _ROUNDING or self.safe[1] > self.units[-1] + _ROUNDING:
            raise ValueError(f"its safe range {list(self.safe)} goes beyond its curve")
        return self


class ControlsFile(Config):
    """All controls of one model."""

    format: Literal[1] = 1
    model_sha256: str
    """Of the model's weights (`model.safetensors`, or the released file): the controls hold for no others."""
    directions: int = Field(ge=1)
    """M."""
    measured_on: dict[str, str | int | float] = Field(default_factory=dict)
    """What it was measured on and by whom, for people: identities, observers, set_id, liax."""
    controls: dict[str, MeasuredControl]

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, control in self.controls.items():
            if any(not 0 <= index < self.directions for index in control.weights):
                raise ValueError(f"{name} moves a direction that there is not: there are {self.directions}")
        return self


def read_controls(url: str, model_sha256: str | None = None) -> ControlsFile:
    """The file at a path or `s3://` URL.

    Args:
        model_sha256: the weights it must belong to; None for any.

    Raises:
        UserError: it is not there, is no such file, or belongs to another model.
    """
    try:
        found = json.loads(storage.read_bytes(url))
    except ValueError as error:
        raise UserError(f"{url} is not JSON ({error}): give the {CONTROLS_FILE} that `liax atlas` wrote") from None
    if not isinstance(found, dict):
        raise UserError(f"{url} holds no controls: give the {CONTROLS_FILE} that `liax atlas` wrote")
    controls = build(ControlsFile, found, url)
    if model_sha256 is not None:
        check_owner(controls, model_sha256, url)
    return controls


def check_owner(controls: ControlsFile, model_sha256: str, url: str) -> None:
    """Raise UserError unless the controls, read from `url`, are those of the model with these weights."""
    if controls.model_sha256 != model_sha256:
        raise UserError(
            f"{url} belongs to another model (weights {controls.model_sha256[:12]}…, these are {model_sha256[:12]}…): "
            "measure this one with `liax atlas`, or leave the file out"
        )
