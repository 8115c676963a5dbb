"""The discriminator of the adversarial loss: StyleGAN2's residual one (Karras et al. 2020, §4.1, and its appendix B).

LIA-X's paper names no architecture; LIA's (arXiv 2203.09043) is this one.

Shapes: B batch, G members of a group, C channels, H W pixels.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.model.config import COARSEST_PX, DiscriminatorConfig
from liax.model.layers import GAIN, SLOPE, ConvLayer, DownBlock, EqualLinear, at_least_float32, largest_divisor

GROUP = 4
"""Samples that minibatch standard deviation compares with one another."""


class Discriminator(nn.Module):
    """Picture B×3×H×W in [-1, 1] to a logit B×1, large for a real one; float32."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        channels = [config.channels(size_px) for size_px in (*reversed(config.levels), COARSEST_PX)]
        last = channels[-1]
        self.first = ConvLayer(3, channels[0], 1)
        self.blocks = nn.Sequential(*(DownBlock(i, o, between=i) for i, o in pairwise(channels)))
        self.last = ConvLayer(last + 1, last, 3)
        self.hidden = EqualLinear(last * COARSEST_PX**2, last)
        self.logit = EqualLinear(last, 1)

    def forward(self, picture_BCHW: Tensor) -> Tensor:
        x_BCHW = self.blocks(self.first(picture_BCHW))
        x_BCHW = self.last(with_deviation(x_BCHW))
        hidden_BC = functional.leaky_relu(self.hidden(x_BCHW.flatten(1)), SLOPE) * GAIN
        return at_least_float32(self.logit(hidden_BC))


def with_deviation(x_BCHW: Tensor) -> Tensor:
    """`x` and one more channel: how much its group varies (minibatch standard deviation, Karras et al. 2018, §3).

    A group is up to GROUP samples, a number that divides the batch: samples i, i + B/G, i + 2B/G, …
    """
    batch, _, height, width = x_BCHW.shape
    group = largest_divisor(batch, GROUP)
    grouped = at_least_float32(x_BCHW).reshape(group, batch // group, *x_BCHW.shape[1:])
    # Our choice of 1e-8: a batch of 1, or of equal pictures, has variance 0, where the root has no derivative.
    deviation = (grouped.var(dim=0, correction=0) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    deviation_B1HW = deviation.repeat(group)[:, None, None, None].expand(-1, 1, height, width)
    return torch.cat((x_BCHW, deviation_B1HW.to(x_BCHW.dtype)), dim=1)
