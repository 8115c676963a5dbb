"""Makes controls of what their paths did: a curve from half of the people, and what it is worth on the other half.

The curve (unit → coefficient) goes through the fit people's median. The safe range is cut by what breaks faces on
anybody, so both halves count there. Error, R², cross-talk and the second observer's view are of people who took no part
in the fitting; they decide, by `liax.atlas.verdict`.

Shapes: N people, L levels of a path, C controls.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liax.atlas.couplings import others, tied_sds
from liax.atlas.curves import ASKED, around, calibration_curve, found_for, kept
from liax.atlas.effects import LEAST_LEVELS, Spread, mean_of_found, slopes
from liax.atlas.response import Response
from liax.atlas.second import SECOND_OF
from liax.atlas.sides import left_less_right
from liax.atlas.verdict import Worth, verdict
from liax.attributes import CONTROLS, readout
from liax.controls_file import MeasuredControl

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_DETECTED = 0.95
"""Share of the people whose face must be found at every level of the safe range."""
MOST_DRIFT = 0.09
"""How far, as 1 - cosine, embeddings may be from the unmoved face's, in the mean of people, within the safe range. For
dlib's network: the distance within which it advises to call two pictures one person (0.6 where embeddings are about
1.42 long, so 0.42 between those of length 1)."""
_LEAST_PAIRS = 6
"""Fewer people × levels say nothing of a correlation."""


@dataclass(frozen=True, slots=True)
class _Moved:
    """One control's path on some people.

    Args:
        levels_L: coefficients.
        own_NL: changes of the control, in its unit; NaN without a face.
        all_NLC: those of all controls.
        second_NL: of what the second observer sees of it, in its own unit; None where it cannot, or is not there.
        similarity_NL: to the unmoved face's embedding; NaN without one.
        uneven_NL: how much more the left side of the face does of it; None where it is not of both sides.
    """

    levels_L: Floats
    own_NL: Floats
    all_NLC: Floats
    second_NL: Floats | None
    similarity_NL: Floats
    uneven_NL: Floats | None


def certify(
    fit: Response | None, held_out: Response | None, spread: Spread, most_drift: float = MOST_DRIFT
) -> dict[str, MeasuredControl]:
    """All controls: those that can be used, and why the others cannot.

    Args:
        fit, held_out: what the controls' paths (`liax.atlas.fit`) did to people of either half; None for no path.
        spread: of the same model's held-out frames.
        most_drift: see `MOST_DRIFT`; another network's embeddings need another bound.
    """
    found = {}
    for name in CONTROLS:
        if fit is None or held_out is None or name not in fit.paths:
            found[name] = _unavailable(name, "no direction moves it clearly, one way throughout and with faces kept")
        else:
            found[name] = _control(name, fit, held_out, spread, most_drift)
    return found


def safe_levels(halves: tuple[Response, ...], path: int, most_drift: float) -> Bools:
    """The levels L of a path, from 0 on, up to which faces stay found, and the same person's where that is measured."""
    found_NL = np.concatenate([half.detected_NPL[:, path] for half in halves])
    similarity_NL = np.concatenate([half.similarity_NPL[:, path] for half in halves])
    zero = int(halves[0].zero_P[path])
    there_N = found_NL[:, zero]
    if not there_N.any():
        return np.zeros(found_NL.shape[1], dtype=np.bool_)
    drift_L = mean_of_found(1 - similarity_NL, axis=0)
    return around((found_NL[there_N].mean(axis=0) >= LEAST_DETECTED) & ~(drift_L > most_drift), zero)


def _control(name: str, fit: Response, held_out: Response, spread: Spread, most_drift: float) -> MeasuredControl:
    path = fit.paths.index(name)
    weights = {int(index): float(fit.unit_PM[path, index]) for index in np.flatnonzero(fit.unit_PM[path])}
    fitted, tested = _moved(name, fit, path), _moved(name, held_out, path)
    curve = calibration_curve(fitted.levels_L, fitted.own_NL)
    if curve is None:
        return _unavailable(name, "moved together, its directions do not move it", weights)
    safe_L = safe_levels((fit, held_out), path, most_drift)
    safe_L &= (tested.levels_L >= curve.coefficients_K[0]) & (tested.levels_L <= curve.coefficients_K[-1])
    ends = tested.levels_L[safe_L] if safe_L.any() else np.zeros(1)
    low, high = curve.unit(float(ends[0])), curve.unit(float(ends[-1]))
    asked_U = np.linspace(low, high, ASKED)
    r2, error = kept(asked_U, found_for(curve, tested.levels_L, tested.own_NL, asked_U))
    changes_C, talk_C = _cross_talk(tested, safe_L, name, spread)
    talk = dict(zip(CONTROLS, talk_C, strict=True))
    worth = Worth(
        span=high - low,
        reach=float(np.ptp(curve.units_K)),
        falls=curve.falls,
        people=int((np.isfinite(tested.own_NL).sum(axis=1) >= LEAST_LEVELS).sum()),
        r2=r2,
        error=error,
        talk={other: float(np.maximum(talk[other] - tied_sds(name, other), 0)) for other in others(name)},
        second=_agreement(tested, safe_L),
        second_seen=None if tested.second_NL is None else _seen(tested, tested.second_NL, safe_L),
        identity_seen=_seen(tested, tested.similarity_NL, safe_L),
        uneven=_uneven(tested, safe_L),
    )
    status, reason = verdict(name, worth)
    return MeasuredControl(
        unit=CONTROLS[name].unit,
        meaning=CONTROLS[name].meaning,
        status=status,
        reason=reason,
        weights=weights,
        units=curve.units_K.tolist(),
        coefficients=curve.coefficients_K.tolist(),
        safe=(low, high),
        r2=r2,
        error=error,
        cross_talk={
            other: float(changes_C[place])
            for place, other in enumerate(CONTROLS)
            if other != name and np.isfinite(changes_C[place])
        },
        second=worth.second,
    )


def _unavailable(name: str, reason: str, weights: dict[int, float] | None = None) -> MeasuredControl:
    definition = CONTROLS[name]
    return MeasuredControl(
        unit=definition.unit, meaning=definition.meaning, status="unavailable", reason=reason, weights=weights or {}
    )


def _moved(name: str, response: Response, path: int) -> _Moved:
    changes_NLA = response.changes_NPLA[:, path].astype(np.float64)
    all_NLC, uneven_A = changes_NLA @ readout().T, left_less_right(name)
    second, sign = SECOND_OF.get(name, ("", 0.0))
    second_NL = None
    if second in response.second_attributes and np.isfinite(response.second_NPLB).any():
        seen_NL = response.second_NPLB[:, path, :, response.second_attributes.index(second)].astype(np.float64)
        zero = int(response.zero_P[path])
        second_NL = sign * (seen_NL - seen_NL[:, zero : zero + 1])
    own_NL = all_NLC[..., list(CONTROLS).index(name)]
    uneven_NL = None if uneven_A is None else changes_NLA @ uneven_A
    levels_L, similarity_NL = response.levels_PL[path].astype(np.float64), response.similarity_NPL[:, path]
    return _Moved(levels_L, own_NL, all_NLC, second_NL, similarity_NL.astype(np.float64), uneven_NL)


def _cross_talk(moved: _Moved, safe_L: Bools, name: str, spread: Spread) -> tuple[Floats, Floats]:
    """What the controls C do while one is moved, within its safe range.

    Returns:
        their changes for a change of 1 of the one, each in its own unit: ratios of the people's mean slopes, which is
        what can be compensated.
        and how much it is in SDs for one SD of the one, whichever way each person's goes; or, where that is more, how
        far each goes at most for how far the one goes at most: what closes whichever way one turns has no slope and is
        seen all the same. 0 for what nowhere in the safe range goes further than one overlooks (the error of its
        definition).
    """
    target = list(CONTROLS).index(name)
    nothing_C = np.full(len(CONTROLS), np.nan)
    if safe_L.sum() < LEAST_LEVELS:
        return nothing_C, nothing_C
    changes_NLC = moved.all_NLC[:, safe_L]
    slope_C, each_C = _slopes(moved.levels_L[safe_L], changes_NLC)
    own, own_reach = abs(slope_C[target]), np.abs(mean_of_found(changes_NLC[..., target], axis=0)).max()
    if not own > 0 or not own_reach > 0:
        return nothing_C, nothing_C
    # A change is the difference of two readings, so it has the noise of both.
    reached_C = _size(changes_NLC, 2 * _noise(changes_NLC)).max(axis=0)
    overlooked_C = reached_C <= [definition.error for definition in CONTROLS.values()]
    in_sds_C = np.maximum(each_C / own, reached_C / own_reach) * spread.control_C[target] / spread.control_C
    return slope_C / slope_C[target], np.where(overlooked_C, 0, in_sds_C)


def _slopes(levels_L: Floats, changes_NLV: Floats) -> tuple[Floats, Floats]:
    """The mean over people of slopes V, and their size (see `_size`)."""
    slope_NV = slopes(levels_L[None], changes_NLV[:, None])[:, 0]
    square = float(((levels_L - levels_L.mean()) ** 2).sum())
    return mean_of_found(slope_NV, axis=0), _size(slope_NV, _noise(changes_NLV) / square)


def _size(values_N: Floats, noise: Floats) -> Floats:
    """The root mean square over people, less this variance of what is noise; not less than the mean's magnitude. People
    who go opposite ways do not cancel."""
    beyond = np.sqrt(np.maximum(mean_of_found(values_N**2, axis=0) - noise, 0))
    return np.maximum(beyond, np.abs(mean_of_found(values_N, axis=0)))


def _noise(changes_NLV: Floats) -> Floats:
    """Variance V of one reading by the observer: of what neighbouring levels do not share (second differences of
    independent readings have six times their variance)."""
    return mean_of_found(np.diff(changes_NLV, n=2, axis=1) ** 2, axis=(0, 1)) / 6


def _uneven(moved: _Moved, safe_L: Bools) -> float | None:
    """By how much of the control's change either side of the face moves more, within the safe range."""
    if moved.uneven_NL is None or safe_L.sum() < LEAST_LEVELS:
        return None
    both_NLV = np.stack([moved.own_NL, moved.uneven_NL], axis=-1)[:, safe_L]
    slope_V, each_V = _slopes(moved.levels_L[safe_L], both_NLV)
    return float(each_V[1] / abs(slope_V[0])) if abs(slope_V[0]) > 0 else None


def _seen(moved: _Moved, values_NL: Floats, safe_L: Bools) -> float:
    """In which share of the moved faces of the safe range there is such a value."""
    looked_L = safe_L & (moved.levels_L != 0)
    face_NL = np.isfinite(moved.own_NL[:, looked_L])
    return float((face_NL & np.isfinite(values_NL[:, looked_L])).sum() / max(face_NL.sum(), 1))


def _agreement(moved: _Moved, safe_L: Bools) -> float | None:
    """Correlation of the control's changes with those that the second observer saw, over people and moved levels; 0
    where it saw nothing move, None where it cannot see this, is not there, or saw too few faces (see `_seen`)."""
    if moved.second_NL is None:
        return None
    looked_L = safe_L & (moved.levels_L != 0)
    own, second = moved.own_NL[:, looked_L].ravel(), moved.second_NL[:, looked_L].ravel()
    there = np.isfinite(own) & np.isfinite(second)
    if there.sum() < _LEAST_PAIRS or np.ptp(own[there]) == 0:
        return None
    if np.ptp(second[there]) == 0:
        return 0.0
    return float(np.corrcoef(own[there], second[there])[0, 1])
