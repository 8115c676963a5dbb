"""The motion dictionary: M orthonormal directions in the space of codes (LIA-X, arXiv 2508.09959, §3).

Shapes: D style width, M directions.
"""

import torch
from torch import Tensor, nn

from liax.model.layers import at_least_float32, full_precision


class MotionDictionary(nn.Module):
    """The orthonormal basis Q_DM of a learned matrix W_DM, by the thin QR factorisation of W + 1e-8.

    The signs are LAPACK's (R's diagonal is not made positive): they are part of a checkpoint's meaning. QR runs in
    float32 whatever the autocast. A network for inference has the basis instead (`liax.model.frozen`).
    """

    def __init__(self, style_dim: int, directions: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(style_dim, directions))

    def forward(self) -> Tensor:
        """Q_DM, float32."""
        with full_precision(self.weight):
            return torch.linalg.qr(at_least_float32(self.weight) + 1e-8).Q


def least_of_r(weight_DM: Tensor) -> float:
    """The smallest |R_ii| of the dictionary's QR factorisation: near 0, a direction is lost in the others' span."""
    with torch.no_grad():
        r_MM = torch.linalg.qr(at_least_float32(weight_DM) + 1e-8).R
        return float(r_MM.diagonal().abs().min())
