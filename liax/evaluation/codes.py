"""How sparse a model's motion codes are. Definitions, each once; the paper publishes none.

"Sparse" here means of one picture's code: few of its directions are far from 0. Raw codes mix that with directions that
are large or small for all pictures; normalised codes, each direction divided by its standard deviation over pictures,
do not. Both are told beside the same of Gaussian numbers, which is what codes look like that nothing made sparse.

Shapes: N pictures, M ≥ 2 directions.
"""

import math

import torch
from torch import Tensor

VERSION = 1
"""Counts changes of a definition."""

DEAD_SHARE = 0.01
"""A direction is dead whose standard deviation is below this share of the largest. Our choice."""

_ROUNDING = 1e-6
"""A direction whose standard deviation is below this share of its largest value stands still: the rest is float32's
rounding in a sum of some hundred numbers, which normalising would make large."""


def code_statistics(codes_NM: Tensor) -> dict[str, float]:
    """Sparsity of motion coefficients a_NM, for logging: `codes/hoyer`, `codes/hoyer_normalised`, …

    Of each measure the mean over pictures: of raw codes; of codes divided by each direction's standard deviation, still
    directions being 0 (`_normalised`); and both of as many Gaussian numbers with these standard deviations
    (`_gaussian`, `_gaussian_normalised`).

    Returns:
        hoyer, gini, l0_1, l0_10 and energy_90 (see the functions below) in these four forms; mean_magnitude, mean |a|;
        dead, the number of directions that nothing moves.
    """
    codes_NM = codes_NM.detach().double().cpu()
    deviation_M = codes_NM.std(dim=0, correction=0)
    still_M = deviation_M <= _ROUNDING * codes_NM.abs().amax(dim=0)
    drawn_NM = torch.randn(codes_NM.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    forms = {
        "": codes_NM,
        "_normalised": codes_NM / torch.where(still_M, math.inf, deviation_M),
        "_gaussian": drawn_NM * deviation_M,
        "_gaussian_normalised": drawn_NM * ~still_M,
    }
    numbers: dict[str, float] = {}
    for form, values_NM in forms.items():
        magnitude_NM = values_NM.abs()
        measures = {
            "hoyer": hoyer(magnitude_NM),
            "gini": gini(magnitude_NM),
            "l0_1": l0(magnitude_NM, 0.01),
            "l0_10": l0(magnitude_NM, 0.10),
            "energy_90": energy(magnitude_NM, 0.90),
        }
        numbers |= {f"codes/{name}{form}": values_N.mean().item() for name, values_N in measures.items()}
    numbers["codes/mean_magnitude"] = codes_NM.abs().mean().item()
    numbers["codes/dead"] = float((deviation_M <= DEAD_SHARE * deviation_M.max()).sum())
    return numbers


def hoyer(magnitude_NM: Tensor) -> Tensor:
    """(√M − ‖a‖₁/‖a‖₂) / (√M − 1) (Hoyer 2004, section 3.1).

    N values: 0 if all are equal, 1 if only one is not 0; a code of zeros counts as 0, for no direction stands out.
    """
    root = math.sqrt(magnitude_NM.shape[1])
    length_N = magnitude_NM.norm(dim=1)
    ratio_N = magnitude_NM.sum(dim=1) / torch.where(length_N > 0, length_N, 1)
    return torch.where(length_N > 0, (root - ratio_N) / (root - 1), 0)


def gini(magnitude_NM: Tensor) -> Tensor:
    """1 − 2 Σ_k |a|_(k)/‖a‖₁ · (M − k + ½)/M over values in ascending order (Hurley and Rickard 2009, table I).

    N values: 0 if all are equal, 1 − 1/M if only one is not 0; a code of zeros counts as 0.
    """
    count = magnitude_NM.shape[1]
    ascending_NM = magnitude_NM.sort(dim=1).values
    rank_M = torch.arange(1, count + 1, dtype=magnitude_NM.dtype)
    sum_N = magnitude_NM.sum(dim=1)
    weighted_N = (ascending_NM * (count - rank_M + 0.5) / count).sum(dim=1)
    return torch.where(sum_N > 0, 1 - 2 * weighted_N / torch.where(sum_N > 0, sum_N, 1), 0)


def l0(magnitude_NM: Tensor, share: float) -> Tensor:
    """How many directions are beyond a share of the code's own largest (Hurley and Rickard's ℓ0 with a threshold).

    N values, 0 … M; a code of zeros counts as 0.
    """
    largest_N1 = magnitude_NM.amax(dim=1, keepdim=True)
    return ((magnitude_NM > share * largest_N1) & (largest_N1 > 0)).sum(dim=1).double()


def energy(magnitude_NM: Tensor, share: float) -> Tensor:
    """How many directions, the largest first, hold a share of the code's energy Σ a².

    N values, 1 … M; 0 for a code of zeros.
    """
    square_NM = (magnitude_NM**2).sort(dim=1, descending=True).values
    sum_N1 = square_NM.sum(dim=1, keepdim=True)
    # Rounding must not ask for one more direction where the share is met exactly.
    short_NM = square_NM.cumsum(dim=1) < share * sum_N1 * (1 - 1e-9)
    return torch.where(sum_N1[:, 0] > 0, short_NM.sum(dim=1) + 1, 0).double()
