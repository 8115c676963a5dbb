"""The sparsity term: few motion directions at a time, so that each gets a meaning. Shapes: B pairs, M directions."""

from torch import Tensor

from liax.model.layers import at_least_float32


def mean_magnitude(coefficients_BM: Tensor) -> Tensor:
    """Mean |a| of the driving frame's motion coefficients, a scalar in float32 (LIA-X, eq. 9, last term).

    The mean and not the sum over M is our choice, because then the weight does not depend on the dictionary's size.
    """
    return at_least_float32(coefficients_BM).abs().mean()
