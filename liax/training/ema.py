"""The running average of the generator's weights, in float32: the model that is kept."""

import copy
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from liax.model.network import LiaX
from liax.training.config import EmaConfig
from liax.training.engine import Trained

_AT_ONCE = 50_000_000
"""Weights that are gathered at once where each worker has only a part of them (ZeRO 3): 200 MB."""


class Ema:
    """An average in which weights count half after a half-life (Karras et al., StyleGAN2 and 3).

    Args:
        model: starts as a copy of it.
        config: half-life and ramp.
    """

    def __init__(self, model: LiaX, config: EmaConfig) -> None:
        self.model = copy.deepcopy(model).float().eval().requires_grad_(False)
        self._config = config

    def share(self, batch: int, pictures_seen: int) -> float:
        """How much the present weights count in the average.

        Args:
            batch: pictures of this step, all workers together.
            pictures_seen: with this step's.
        """
        half_life = min(self._config.half_life_pictures, self._config.ramp * pictures_seen)
        return float(1 - 0.5 ** (batch / half_life))

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Continue from a saved average."""
        self.model.load_state_dict(weights)


@torch.no_grad()
def update_average(ema: Ema | None, generator: Trained, batch: int, pictures_seen: int) -> None:
    """Move the average towards the present weights. Every worker calls it; only the leading one has an average.

    See `Ema.share` for the arguments.
    """
    averages = None if ema is None else dict(ema.model.named_parameters())
    for names, weights in _parts(generator.module):
        with generator.gathered(weights):
            if ema is not None and averages is not None:
                targets = [weight.detach().float() for weight in weights]
                torch._foreach_lerp_([averages[name] for name in names], targets, ema.share(batch, pictures_seen))


def _parts(module: nn.Module) -> Iterator[tuple[Sequence[str], Sequence[nn.Parameter]]]:
    """All parameters by name, some at a time. A parameter of which there is only a part knows its whole size."""
    names: list[str] = []
    weights: list[nn.Parameter] = []
    count = 0
    for name, weight in module.named_parameters():
        names.append(name)
        weights.append(weight)
        count += int(getattr(weight, "ds_numel", weight.numel()))
        if count >= _AT_ONCE:
            yield names, weights
            names, weights, count = [], [], 0
    if names:
        yield names, weights
