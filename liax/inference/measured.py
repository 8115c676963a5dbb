"""Measured controls in numbers: from values in their units to coefficients, with each other's cross-talk made up for.

Legend: M directions, C controls that are asked for.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from liax.attributes import DEGREES, SHARE, SIDES
from liax.controls_file import MeasuredControl

CLOSENESS = 0.05
"""How much less it counts to keep to the asked values than to reach them, where cross-talk makes the two differ. Our
choice: controls that do the same to 5 % cannot be told apart, and would else be set against each other without end."""
MISSED = 0.05
"""Share of a control's safe range by which it may be missed before the user is told. Our choice: hardly seen."""

Floats = NDArray[np.float64]
_UNIT_TEXTS = {DEGREES: " deg", SIDES: " of the side", SHARE: ""}


def with_unit(value: float, unit: str) -> str:
    """A value of a control for people: `10 deg`, `0.05 of the side`, `0.3`."""
    return f"{round(value, 3) + 0.0:g}{_UNIT_TEXTS.get(unit, f' {unit}')}"


def coefficient(control: MeasuredControl, value: float) -> float:
    """The coefficient t that changes the control by `value`; beyond the curve's ends straight on."""
    units, coefficients = control.units, control.coefficients
    if value < units[0]:
        return _on(units[0], units[1], coefficients[0], coefficients[1], value)
    if value > units[-1]:
        return _on(units[-1], units[-2], coefficients[-1], coefficients[-2], value)
    return float(np.interp(value, units, coefficients))


def step(control: MeasuredControl, value: float, directions: int) -> Floats:
    """δ_M that changes one control by `value`: t · weights."""
    step_M = np.zeros(directions)
    for index, weight in control.weights.items():
        step_M[index] = coefficient(control, value) * weight
    return step_M


def compensated(
    controls: Mapping[str, MeasuredControl], wanted: Mapping[str, float], *, bounded: bool = True
) -> tuple[dict[str, float], dict[str, float]]:
    """What to set several controls to, so that together they give what is wanted.

    A control c set to u_c changes itself by u_c and another, k, by X_ck · u_c (its cross-talk); changes add up. So the
    values v are reached by the u that solves A u = v, with A_cc = 1 and A_kc = X_ck. In order that controls of
    different units compare, all is divided by the widths of their safe ranges, s. What is solved is

        minimise over u   ‖(A u − v) / s‖² + CLOSENESS² · ‖(u − v) / s‖²

    whose second term matters only where A is nearly singular, where controls do nearly the same: then u stays near v.
    Where a u leaves its safe range it is held at the end of it, and the others are solved for again.

    Args:
        controls: by name; at least those that are wanted.
        wanted: changes of the controls' values, each within its safe range.
        bounded: whether u must be, too.

    Returns:
        What to set each to, and what each then is by the same formula.
    """
    names = list(wanted)
    widths_C = np.array([high - low or 1.0 for low, high in (controls[name].safe for name in names)])
    effects_CC = _effects(controls, names) * widths_C / widths_C[:, None]
    wanted_C = np.array([wanted[name] for name in names]) / widths_C
    lows_C, highs_C = np.array([controls[name].safe for name in names]).reshape(-1, 2).T / widths_C
    rows_RC = np.concatenate([effects_CC, CLOSENESS * np.eye(len(names))])
    goal_R = np.concatenate([wanted_C, CLOSENESS * wanted_C])
    set_C, free_C = wanted_C.copy(), np.ones(len(names), dtype=bool)
    while free_C.any():
        left_R = goal_R - rows_RC[:, ~free_C] @ set_C[~free_C]
        set_C[free_C] = np.linalg.lstsq(rows_RC[:, free_C], left_R, rcond=None)[0]
        inside_C = np.clip(set_C, lows_C, highs_C) if bounded else set_C
        free_C = free_C & (inside_C == set_C)
        if np.array_equal(inside_C, set_C):
            break
        set_C = inside_C
    reached_C = effects_CC @ set_C
    return _by_name(names, set_C * widths_C), _by_name(names, reached_C * widths_C)


def missed(control: MeasuredControl, wanted: float, expected: float) -> bool:
    """Whether what is to be expected is so far from what was wanted that the user should know."""
    low, high = control.safe
    return abs(expected - wanted) > max(control.error or 0.0, MISSED * (high - low))


def _effects(controls: Mapping[str, MeasuredControl], names: list[str]) -> Floats:
    """A_CC: column c is what control c does, for a change of 1 in its own value, to each of them."""
    effects_CC = np.eye(len(names))
    for column, name in enumerate(names):
        for row, other in enumerate(names):
            if row != column:  # what could not be measured cannot be made up for
                effects_CC[row, column] = controls[name].cross_talk.get(other, 0.0)
    return effects_CC


def _by_name(names: list[str], values_C: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(names, values_C, strict=True)}


def _on(x: float, inner_x: float, y: float, inner_y: float, at: float) -> float:
    return y + (at - x) * (inner_y - y) / (inner_x - x)
