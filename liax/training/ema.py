"""The running average of the generator's weights, in float32: the model that is kept."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from liax.model.network import LiaX
from liax.training.config import EmaConfig


class Ema:
    """An average in which weights count half after a half-life (Karras et al., StyleGAN2 and 3).

    Args:
        model: starts as a copy of it.
        config: half-life and ramp.
    """

    def __init__(self, model: LiaX, config: EmaConfig) -> None:
        self.model = copy.deepcopy(model).float().eval().requires_grad_(False)
        self._config = config

    @torch.no_grad()
    def update(self, model: nn.Module, batch: int, pictures_seen: int) -> None:
        """Move towards the network's present weights.

        Args:
            model: the network in training.
            batch: pictures of this step, all workers together.
            pictures_seen: with this step's.
        """
        half_life = min(self._config.half_life_pictures, self._config.ramp * pictures_seen)
        share = 1 - 0.5 ** (batch / half_life)
        for average, weight in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(weight.float(), share)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Continue from a saved average."""
        self.model.load_state_dict(weights)
