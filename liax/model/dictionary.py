"""The motion dictionary: M orthonormal directions in the space of codes (LIA-X, arXiv 2508.09959, §3).

Shapes: D style width, M directions.
"""

import torch
from torch import Tensor, nn

from liax.model.layers import at_least_float32, full_precision


class MotionDictionary(nn.Module):
    """The orthonormal basis Q_DM of a learned matrix W_DM, by the thin QR factorisation of W + 1e-8.

    The signs are LAPACK's (R's diagonal is not made positive): they are part of a checkpoint's meaning. QR runs in
    float32 whatever the autocast. Without gradients and in eval mode it runs once, until W changes.
    """

    def __init__(self, style_dim: int, directions: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(style_dim, directions))
        self._frozen_DM: Tensor | None = None
        self._frozen_for: tuple[int, int] | None = None

    def forward(self) -> Tensor:
        """Q_DM, float32."""
        if self.training or torch.is_grad_enabled():
            return self._orthonormalise()
        # An update in place (averaged weights, a loaded checkpoint) raises the version; a move changes the address.
        version = 0 if self.weight.is_inference() else self.weight._version
        state = (version, self.weight.data_ptr())
        if self._frozen_DM is None or self._frozen_for != state:
            self._frozen_DM, self._frozen_for = self._orthonormalise(), state
        return self._frozen_DM

    def train(self, mode: bool = True) -> "MotionDictionary":
        """As nn.Module.train; also forgets the basis, as optimisers may write weights without raising their version."""
        self._frozen_DM = None
        return super().train(mode)

    def _orthonormalise(self) -> Tensor:
        with full_precision(self.weight):
            return torch.linalg.qr(at_least_float32(self.weight) + 1e-8).Q
