"""The reconstruction term: how far the result is from the driving frame. Shapes: B pictures, C channels, H W pixels."""

from torch import Tensor

from liax.model.layers import at_least_float32


def l1(result_BCHW: Tensor, driving_BCHW: Tensor) -> Tensor:
    """Mean absolute difference, a scalar in float32; pictures in [-1, 1] (LIA-X, eq. 9, first term)."""
    return (at_least_float32(result_BCHW) - at_least_float32(driving_BCHW)).abs().mean()
