"""The reconstruction term: how far the result is from the driving frame. Shapes: B pictures, C channels, H W pixels."""

from torch import Tensor


def l1(result_BCHW: Tensor, driving_BCHW: Tensor) -> Tensor:
    """Mean absolute difference, a scalar in float32; pictures in [-1, 1] (LIA-X, eq. 9, first term)."""
    return (result_BCHW.float() - driving_BCHW.float()).abs().mean()
