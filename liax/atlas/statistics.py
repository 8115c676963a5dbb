"""What a model's codes of held-out frames are like: how sparse, which directions are used at all, and how far.

Absolute codes are a picture's own; relative ones are less the first frame's of the clip, what is transferred. Of both
the sparsity is told raw and normalised, beside Gaussian numbers (`liax.evaluation.codes`).

Shapes: F frames, M directions, L levels.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from liax.atlas.observed import Observed
from liax.evaluation.codes import DEAD_SHARE, code_statistics, energy

OUTERMOST = 2.5
"""How far levels go: to the quantiles at which a normal distribution is this many SDs from its middle (0.6 %, 99.4 %).
Our choice: beyond them, 200 frames hold one or two."""
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""Those that are told of each direction."""
_LEAST_GAP = 0.05
"""Levels are at least so many SDs of the direction apart: quantiles of a code that mostly stands still fall together,
and what is the same is not looked at twice."""


def levels(codes_FM: NDArray[np.floating], count: int = 9) -> NDArray[np.float32]:
    """How far to move each direction: from the median to quantiles of its codes, M×L ascending, the middle one 0.

    The quantiles are those of a normal distribution at even distances. A dead direction is moved by as much as would be
    the least to count as alive (`DEAD_SHARE` of the largest SD), so that what it could do is seen, too.

    Args:
        codes_FM: codes of many frames.
        count: L, odd.
    """
    if count % 2 == 0 or count < 3:
        raise ValueError(f"levels must be an odd number of at least 3, with the unmoved one in the middle: {count}")
    codes_FM = codes_FM.astype(np.float64)
    at_L = torch.special.ndtr(torch.linspace(-OUTERMOST, OUTERMOST, count, dtype=torch.float64)).numpy()
    found_ML = np.quantile(codes_FM, at_L, axis=0).T - np.median(codes_FM, axis=0)[:, None]
    sd_M = _sd(codes_FM)
    least = DEAD_SHARE * max(float(sd_M.max(initial=0)), 1e-6)
    found_ML = np.where(dead(codes_FM)[:, None], least * np.linspace(-1, 1, count), found_ML)
    gap_M = _LEAST_GAP * np.maximum(sd_M, least)
    middle = count // 2
    above_ML, below_ML = _apart(found_ML[:, middle + 1 :], gap_M), _apart(-found_ML[:, middle - 1 :: -1], gap_M)
    zero_M1 = np.zeros((len(found_ML), 1))
    return np.concatenate([-below_ML[:, ::-1], zero_M1, above_ML], axis=1).astype(np.float32)


def _apart(distances_MK: NDArray[np.float64], gap_M: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances from 0, in order, each made at least a gap larger than the one before; unchanged where they are."""
    gaps_MK = gap_M[:, None] * np.arange(1, distances_MK.shape[1] + 1)
    return np.maximum.accumulate(np.maximum(distances_MK - gaps_MK, 0), axis=1) + gaps_MK


def dead(codes_FM: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which directions hardly any frame moves: M."""
    sd_M = _sd(codes_FM)
    dead_M: NDArray[np.bool_] = sd_M <= DEAD_SHARE * sd_M.max(initial=0)
    return dead_M


def passive(observed: Observed) -> dict[str, Any]:
    """The codes in numbers, as JSON holds them.

    Returns:
        frames, faces (frames with one), people, clips: how many.
        absolute, relative: sparsity of codes: hoyer, gini, l0_1, …, each also `_normalised`, `_gaussian` and
            `_gaussian_normalised`.
        energy_90: how many directions hold 90 % of all frames' variance.
        dead: which directions.
        directions: of each its mean, sd, quantiles (of `QUANTILES`) and dead.
    """
    codes_FM = observed.codes_FM.astype(np.float64)
    mean_M, sd_M, dead_M = codes_FM.mean(axis=0), _sd(codes_FM), dead(codes_FM)
    quantiles_MQ = np.quantile(codes_FM, QUANTILES, axis=0).T
    return {
        "frames": len(codes_FM),
        "faces": int((~np.isnan(observed.attributes_FA).any(axis=1)).sum()),
        "people": len(np.unique(observed.person_F)),
        "clips": len(np.unique(observed.clip_F)),
        "absolute": _sparsity(codes_FM),
        "relative": _sparsity(observed.relative_FM),
        "energy_90": int(energy(torch.from_numpy(sd_M)[None], 0.90)),
        "dead": [int(index) for index in np.flatnonzero(dead_M)],
        "quantiles": list(QUANTILES),
        "directions": [
            {
                "mean": float(mean_M[index]),
                "sd": float(sd_M[index]),
                "quantiles": [float(value) for value in quantiles_MQ[index]],
                "dead": bool(dead_M[index]),
            }
            for index in range(codes_FM.shape[1])
        ],
    }


def _sparsity(codes_FM: NDArray[np.floating]) -> dict[str, float]:
    numbers = code_statistics(torch.from_numpy(codes_FM.astype(np.float64)))
    return {name.removeprefix("codes/"): value for name, value in numbers.items()}


def _sd(codes_FM: NDArray[np.floating]) -> NDArray[np.float64]:
    """SDs, of codes less the first one: those that never move have exactly 0, and no rounding of their mean."""
    return np.asarray((codes_FM - codes_FM[:1]).astype(np.float64).std(axis=0))
