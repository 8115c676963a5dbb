"""Which few directions make a control: chosen and weighed by what each of them does alone.

With x_c the effects of directions on control c (SDs for one SD of the code, `liax.atlas.effects`), t the control that
is wanted, and w how many SDs each direction is moved, the cost of weights that give one SD of t (x_t·w = 1) is

    J(w) = Σ_c (x_c·w)² + Σ_m (e_m² + EFFORT²) w_m²

The first sum goes over all controls that are made of other attributes than t: what else moves. Of what the observer
ties to t (`liax.atlas.couplings`), only what each direction does beyond that counts. Where t is of both sides of the
face, the sum also goes over by how much more the one side moves (`liax.atlas.sides`), times UNEVEN.
In the second, e_m² is the sum over these of the squared standard errors of the direction's effects, by which J grows
if effects are known that badly; and EFFORT makes a strong direction cheaper than many weak ones. The best w of a set
of directions is A⁻¹ x_t / (x_tᵀ A⁻¹ x_t), with A = Σ_c x_c x_cᵀ + diag(e² + EFFORT²), and costs 1 / (x_tᵀ A⁻¹ x_t):
it is Fisher's linear discriminant, regularised. Directions are added one by one, always the one that lowers J most
(orthogonal matching pursuit: Pati et al. 1993).

Shapes: P paths (the directions alone), M directions, C controls, O the others of them, K chosen directions, L levels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liax.atlas.couplings import others, tied_sds
from liax.atlas.effects import MONOTONE, Effects, Spread, effects, mean_of_found
from liax.atlas.response import Path, Response
from liax.atlas.sides import left_less_right
from liax.attributes import CONTROLS, readout
from liax.evaluation.codes import DEAD_SHARE

Floats = NDArray[np.float64]

MOST_DIRECTIONS = 4
"""In one control. Our choice: few enough to be looked at one by one, and to stay within what was measured of them."""
EFFORT = 0.2
"""Moving a direction by one SD counts as much as moving another control by this many. Our choice: no direction is to be
moved far for what is hardly seen, for it does more than what is measured of it."""
UNEVEN = 2.0
"""A face that moves on one side only is seen at once, so it counts double. Our choice."""
GAIN = 0.1
"""A further direction must lower J by this share. Our choice: a control of fewer directions is worth that."""
KEPT_SPAN = 0.5
"""A further direction must leave this share of the control's span, and the whole of it where that is too small to be of
use already: directions have their own measured ranges, and the first to end ends all. Our choice."""
MOST_FALL = 0.1
"""By what its directions do alone, level by level, a control may fall back by this share of its reach on its way up: a
direction that closes an eye forwards need not open it backwards. Our choice, less than what is allowed to be found (see
`liax.atlas.verdict`).
"""
LEAST_DETECTED = 0.8
"""A direction that loses more faces than this is not used. Our choice: the safe range is cut further (see
`liax.atlas.calibrate`), and half a path's levels lie within a third of its length."""

_FORETOLD = 21  # places along a path at which its response is foretold
_WITHIN = 1 - 1e-6
"""Ranges are kept after rounding to float32, too."""


@dataclass(frozen=True, slots=True)
class _Directions:
    """What is known of the directions alone.

    Args:
        effects: of them.
        unit_PM: δ of each, for a coefficient of 1.
        levels_PL: the coefficients at which each was measured.
        change_PLC: what was found there, the mean over people, in SDs.
        change_PA: the attributes' changes for one SD of the code, in their units.
        usable_P: those that a control may be made of.
        error_PC: standard errors of effects.
        spread_C: one SD of each control, in its unit.
    """

    effects: Effects
    unit_PM: Floats
    levels_PL: Floats
    change_PLC: Floats
    change_PA: Floats
    usable_P: NDArray[np.bool_]
    error_PC: Floats
    spread_C: Floats


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Weights w_K, in SDs, of the directions chosen_K; their cost; and the coefficients, SDs of the control, between
    which all stay within their measured ranges."""

    chosen_K: list[int]
    weight_K: Floats
    cost: float
    low: float
    high: float


def combine(response: Response, spread: Spread) -> dict[str, Path]:
    """For each control the path of few directions that moves it best, and other things least.

    Positive coefficients raise the control, as far as each direction's own response foretells. Controls that no usable
    direction moves clearly have none.

    Args:
        response: of each direction alone, on the people to fit on.
        spread: of the same model's held-out frames.
    """
    directions = _known(response, spread)
    count = response.levels_PL.shape[1]
    found = {}
    for name in CONTROLS:
        chosen = _choose(directions, name)
        if chosen is not None:
            found[name] = _path(directions, name, chosen, count)
    return found


def usable(found: Effects, spread: Spread) -> NDArray[np.bool_]:
    """Which directions P a control may be made of: not dead, not breaking faces, and moving what they move most one way
    throughout."""
    dead_P = found.scale_P <= DEAD_SHARE * spread.code_M.max(initial=0)
    most_P = np.nan_to_num(found.span_PC).argmax(axis=1)
    rising_P = np.take_along_axis(found.monotonicity_PC, most_P[:, None], axis=1)[:, 0] >= MONOTONE
    usable_P: NDArray[np.bool_] = ~dead_P & rising_P & found.moves_P & (found.detected_P >= LEAST_DETECTED)
    return usable_P


def _known(response: Response, spread: Spread) -> _Directions:
    found = effects(response, spread)
    sd_PC = np.where(np.isnan(found.slope_sd_PC), np.abs(found.slope_PC), found.slope_sd_PC)
    return _Directions(
        effects=found,
        unit_PM=response.unit_PM.astype(np.float64),
        levels_PL=response.levels_PL.astype(np.float64),
        change_PLC=mean_of_found(response.changes_NPLA.astype(np.float64) @ readout().T / spread.control_C, axis=0),
        change_PA=np.nan_to_num(found.slope_PA * spread.attribute_A),
        usable_P=usable(found, spread),
        error_PC=sd_PC / np.sqrt(np.maximum(found.people_PC, 1)),
        spread_C=spread.control_C,
    )


def _choose(directions: _Directions, name: str) -> _Chosen | None:
    """The directions of a control; None where none moves it clearly."""
    target = list(CONTROLS).index(name)
    moving_P = directions.usable_P & directions.effects.clear_PC[:, target]
    moving_P &= directions.effects.monotonicity_PC[:, target] >= MONOTONE
    first = [_weigh(directions, name, [int(place)]) for place in np.flatnonzero(moving_P)]
    least = CONTROLS[name].least_span / directions.spread_C[target]  # in SDs
    # One that is of use by itself if any is; else the one that comes closest.
    best = min(first, key=lambda one: (one.high - one.low < least, one.cost), default=None)
    if best is None:
        return None
    if best.high - best.low < least:
        best = max(first, key=lambda one: one.high - one.low)
    while len(best.chosen_K) < MOST_DIRECTIONS:
        span = best.high - best.low
        kept = max(KEPT_SPAN * span, min(least, span))
        further = [int(place) for place in np.flatnonzero(directions.usable_P) if place not in best.chosen_K]
        wider = [_weigh(directions, name, [*best.chosen_K, place]) for place in further]
        wider = [one for one in wider if one.high - one.low >= kept and one.cost <= (1 - GAIN) * best.cost]
        wider = [one for one in wider if _falls(directions, target, one) <= MOST_FALL]
        if not wider:
            break
        best = min(wider, key=lambda one: one.cost)
    return best


def _weigh(directions: _Directions, name: str, chosen_K: list[int]) -> _Chosen:
    """The best weights of these directions."""
    target = list(CONTROLS).index(name)
    others_O = [list(CONTROLS).index(other) for other in others(name)]
    tied_O = np.array([tied_sds(name, other) for other in others(name)])
    # What is not clear may be chance, which is not worth fighting; its size is in the errors.
    slope_KC = np.where(directions.effects.clear_PC, directions.effects.slope_PC, 0)[chosen_K]
    error_K = np.nan_to_num(directions.error_PC[np.ix_(chosen_K, others_O)])
    moved_KO = slope_KC[:, others_O]
    moved_KO = np.sign(moved_KO) * np.maximum(np.abs(moved_KO) - tied_O * np.abs(slope_KC[:, [target]]), 0)
    uneven_A = left_less_right(name)
    if uneven_A is not None:
        uneven_K1 = UNEVEN * directions.change_PA[chosen_K] @ uneven_A[:, None] / directions.spread_C[target]
        moved_KO = np.concatenate([moved_KO, uneven_K1], axis=1)
    cost_KK = moved_KO @ moved_KO.T + np.diag((error_K**2).sum(axis=1) + EFFORT**2)
    solved_K = np.linalg.solve(cost_KK, slope_KC[:, target])
    reached = float(slope_KC[:, target] @ solved_K)
    weight_K: Floats = (solved_K / reached).astype(np.float64)
    low, high = _range(directions, chosen_K, weight_K)
    return _Chosen(chosen_K, weight_K, 1 / reached, low, high)


def _range(directions: _Directions, chosen_K: list[int], weight_K: Floats) -> tuple[float, float]:
    """The coefficients of weights in SDs between which each direction stays within its measured range."""
    per_K = weight_K * directions.effects.scale_P[chosen_K]
    with np.errstate(divide="ignore", invalid="ignore"):
        ends_2K = directions.levels_PL[chosen_K][:, [0, -1]].T / per_K
    ends_2K = ends_2K[:, per_K != 0]
    return float(ends_2K.min(axis=0).max()), float(ends_2K.max(axis=0).min())


def _falls(directions: _Directions, target: int, chosen: _Chosen) -> float:
    """The largest fall of a control on its way up, in shares of its reach, if directions add up as they are alone."""
    along_U = np.linspace(chosen.low, chosen.high, _FORETOLD)
    change_U = np.zeros(_FORETOLD)
    for place, weight in zip(chosen.chosen_K, chosen.weight_K, strict=True):
        change_L = directions.change_PLC[place, :, target]
        there_L = np.isfinite(change_L)
        coefficients_U = along_U * weight * directions.effects.scale_P[place]
        change_U += np.interp(coefficients_U, directions.levels_PL[place, there_L], change_L[there_L])
    reach = float(np.ptp(change_U))
    return float((np.maximum.accumulate(change_U) - change_U).max()) / reach if reach > 0 else 0.0


def _path(directions: _Directions, name: str, chosen: _Chosen, count: int) -> Path:
    """The control's path: its largest direction has a weight of 1, and its levels are even on each side of 0."""
    per_K = chosen.weight_K * directions.effects.scale_P[chosen.chosen_K]
    unit_M = per_K @ directions.unit_PM[chosen.chosen_K]
    largest = float(np.abs(unit_M).max())
    low, high = chosen.low * largest * _WITHIN, chosen.high * largest * _WITHIN
    below_L, above_L = np.linspace(low, 0, count // 2 + 1), np.linspace(0, high, count // 2 + 1)
    levels_L = np.concatenate([below_L, above_L[1:]]).astype(np.float32)
    return Path(name, (unit_M / largest).astype(np.float32), levels_L)
