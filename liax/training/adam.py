"""Adam that leaves the weights alone where a gradient is not finite, and says how long the gradient was."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn

from liax.training.config import AdamConfig
from liax.training.place import Place


class GuardedAdam(torch.optim.Adam):
    """torch's own Adam, in every engine; a step whose gradient is not finite moves nothing and counts for nothing.

    The guard is in the optimiser because that is where every engine has the whole batch's gradient, and DeepSpeed has
    it nowhere else.

    Args:
        parameters: of the network, or whatever parts of it an engine puts in their place.
        config: learning rate, decays, epsilon.
        place: of this worker.
        partitioned: whether each worker holds another part of the gradient (ZeRO 1 and up) and not all of it.
    """

    gradient_norm: float = math.nan
    """Euclidean length of the last step's gradient, all parameters together; the same on all workers."""

    def __init__(
        self, parameters: Iterable[nn.Parameter], config: AdamConfig, place: Place, *, partitioned: bool = False
    ) -> None:
        super().__init__(parameters, lr=config.lr, betas=config.betas, eps=config.eps)
        self._place, self._partitioned = place, partitioned

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # nobody asks this optimiser for a loss
        """Move the parameters, if the gradient is finite."""
        square = self._squared_norm()
        if self._partitioned and self._place.world_size > 1:
            distributed.all_reduce(square)
        self.gradient_norm = math.sqrt(square.item())
        if math.isfinite(self.gradient_norm):
            super().step()

    def _squared_norm(self) -> Tensor:
        gradients = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
        square = torch.zeros((), dtype=torch.float64, device=self._place.device)
        if gradients:
            # In float64: one part of ZeRO holds all parameters, and their squares may be too large for float32.
            square += torch.stack(torch._foreach_norm(gradients, dtype=torch.float64)).square().sum()
        return square
