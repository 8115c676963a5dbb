"""AlexNet with drawn weights, and pictures, for tests: the published weights are not to be had everywhere."""

import math

import torch
from torch import Tensor

from liax.evaluation.lpips import AlexNet


def drawn_alexnet() -> AlexNet:
    """Weights that keep the variance of activations, the same on every call."""
    source, network = torch.Generator().manual_seed(3), AlexNet()
    for parameter in network.parameters():
        spread = 0.0 if parameter.dim() == 1 else math.sqrt(2 / parameter[0].numel())
        parameter.copy_(torch.randn(parameter.shape, generator=source) * spread)
    return network


def pair() -> tuple[Tensor, Tensor]:
    """Three pictures and three others: two noisy, the last the same."""
    source = torch.Generator().manual_seed(4)
    one = torch.rand(3, 3, 96, 96, generator=source) * 2 - 1
    other = (one + 0.3 * torch.randn(one.shape, generator=source)).clamp(-1, 1)
    other[2] = one[2]
    return one, other
