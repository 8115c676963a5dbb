"""Calibration curves: which coefficient gives which change of a control, and how well that holds for others.

Shapes: N people, L levels of a path, K points of a curve, U asked values.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ASKED = 21
"""Values over the safe range that are asked for, to see what is found. Our choice: two and more for each level."""
LEAST_SEEN = 0.5
"""A curve ends where fewer of the people than this have a face. Our choice."""
LEAST_STEP = 0.02
"""Levels that change a control by less than this share of its reach are no further points of the curve …"""
LEAST_SIDE = 0.05
"""… and a side of 0 that does not reach this share of it is none: eyes that are open do not open further. Our choices.
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """What a path does to a control.

    Args:
        units_K: changes of the control, ascending, 0 among them.
        coefficients_K: of the path, that give them, ascending, 0 for 0.
        falls: the largest fall of people's median change on its way up, in shares of its reach, before it was made
            monotone.
    """

    units_K: Floats
    coefficients_K: Floats
    falls: float

    def unit(self, coefficient: float) -> float:
        """The change at a coefficient; beyond an end, that at the end."""
        return float(np.interp(coefficient, self.coefficients_K, self.units_K))


def calibration_curve(levels_L: Floats, changes_NL: Floats) -> Curve | None:
    """The monotone curve through people's median change (isotonic regression: Barlow et al. 1972); None where it does
    not rise with the coefficient on either side of 0.

    Args:
        levels_L: coefficients, ascending, with 0 among them.
        changes_NL: of the control from the unmoved picture; NaN without a face.
    """
    zero = int(np.abs(levels_L).argmin())
    inside_L = around(np.isfinite(changes_NL).mean(axis=0) >= LEAST_SEEN, zero)
    if inside_L.sum() < 2:
        return None
    levels_L, median_L = levels_L[inside_L], np.nanmedian(changes_NL[:, inside_L], axis=0)
    reach = float(np.ptp(median_L))
    if reach == 0:
        return None
    below_L, above_L = levels_L < 0, levels_L > 0
    # Each side by itself, from 0 outwards, so that 0 stays 0.
    above = _side(levels_L[above_L], median_L[above_L], reach)
    below = _side(-levels_L[below_L][::-1], -median_L[below_L][::-1], reach)
    points = [*((-unit, -level) for unit, level in reversed(below)), (0.0, 0.0), *above]
    if len(points) < 2:
        return None
    units_K, coefficients_K = np.array(points).T
    falls = float((np.maximum.accumulate(median_L) - median_L).max() / reach)
    return Curve(units_K, coefficients_K, falls)


def around(fine_L: Bools, zero: int) -> Bools:
    """The levels from which to that of 0 all are fine; none where that one is not."""
    kept_L = np.zeros_like(fine_L)
    kept_L[zero:] = np.logical_and.accumulate(fine_L[zero:])
    kept_L[: zero + 1] = np.logical_and.accumulate(fine_L[zero::-1])[::-1]
    return kept_L


def found_for(curve: Curve, levels_L: Floats, changes_NL: Floats, asked_U: Floats) -> Floats:
    """What is found on each person, N×U, where a change is asked for: their own response between its levels; NaN beyond
    the levels at which they have a face."""
    coefficients_U = np.interp(asked_U, curve.units_K, curve.coefficients_K)
    found_NU = np.full((len(changes_NL), len(asked_U)), np.nan)
    for person, change_L in enumerate(changes_NL):
        there_L = np.isfinite(change_L)
        if there_L.sum() >= 2:
            found_NU[person] = np.interp(coefficients_U, levels_L[there_L], change_L[there_L], np.nan, np.nan)
    return found_NU


def kept(asked_U: Floats, found_NU: Floats) -> tuple[float | None, float | None]:
    """How well what was asked for was found: R² (share of the variance of what was found that what was asked for
    explains; negative where the mean would have been the better guess) and mean distance; None where nothing was."""
    there_NU = np.isfinite(found_NU)
    found, asked = found_NU[there_NU], np.broadcast_to(asked_U, found_NU.shape)[there_NU]
    if found.size < 2 or np.ptp(found) == 0:
        return None, None
    r2 = 1 - ((found - asked) ** 2).sum() / ((found - found.mean()) ** 2).sum()
    return float(r2), float(np.abs(found - asked).mean())


def _side(levels_L: Floats, median_L: Floats, reach: float) -> list[tuple[float, float]]:
    """Points of one side, from 0 outwards and without it; none where it does not reach far enough to be one."""
    if not len(levels_L):
        return []
    rising_L = np.maximum(isotonic_regression(median_L).x, 0)
    if rising_L[-1] < LEAST_SIDE * reach:
        return []
    points = [(0.0, 0.0)]
    for unit, level in zip(rising_L, levels_L, strict=True):
        if unit - points[-1][0] > LEAST_STEP * reach:
            points.append((float(unit), float(level)))
    return points[1:]
