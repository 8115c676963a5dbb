"""How sure a mean over clips is. Shapes: N clips."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
"""Of a bootstrap. Our choice: the ends of the interval then move by some hundredths of its width from seed to seed."""

_DRAWS_AT_ONCE = 100


def interval(values_N: NDArray[np.float64], groups: Sequence[Hashable] | None = None) -> tuple[float, float]:
    """95 % bootstrap interval of a mean, by percentiles (Efron and Tibshirani 1993, section 13.3).

    Args:
        values_N: one a clip, at least one.
        groups: what each clip was cut from, for example its video: whole groups are drawn, for clips of one video are
            not independent of each other (Davison and Hinkley 1997, section 3.8). None for clips that are.
    """
    sums_G, counts_G = _by_group(values_N, groups)
    random = np.random.default_rng(0)
    means = []
    for _ in range(DRAWS // _DRAWS_AT_ONCE):
        drawn = random.integers(len(sums_G), size=(_DRAWS_AT_ONCE, len(sums_G)))
        means.append(sums_G[drawn].sum(axis=1) / counts_G[drawn].sum(axis=1))
    low, high = np.quantile(np.concatenate(means), (0.025, 0.975))
    return float(low), float(high)


def _by_group(
    values_N: NDArray[np.float64], groups: Sequence[Hashable] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of each group's values."""
    if groups is None:
        return values_N, np.ones(len(values_N))
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    places = np.array([numbers[group] for group in groups])
    sums_G = np.bincount(places, weights=values_N).astype(np.float64)
    return sums_G, np.bincount(places).astype(np.float64)
