"""The encoder: a picture to its code z and to the maps that the decoder warps (LIA-X, arXiv 2508.09959, §3).

Shapes: B batch, C channels, H W pixels, D style width.
"""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.model.config import COARSEST_PX, ModelConfig
from liax.model.layers import ConvLayer, DownBlock, at_least_float32, full_precision


class Encoder(nn.Module):
    """1×1 layer at full size, residual blocks down to 4 px, one 4×4 convolution to the code."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        sizes_px = (*reversed(config.levels), COARSEST_PX)
        channels = [config.channels(size_px) for size_px in sizes_px]
        self.first = ConvLayer(3, channels[0], 1)
        self.blocks = nn.Sequential(*(DownBlock(i, o, between=o) for i, o in pairwise(channels)))
        self.to_code = ToCode(channels[-1], config.style_dim)

    def forward(self, picture_BCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Code z_BD and the maps of every decoder level, smallest first."""
        maps = [self._enter(picture_BCHW)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        *features, last_BCHW = maps
        return self.to_code(last_BCHW), features[::-1]

    def code(self, picture_BCHW: Tensor) -> Tensor:
        """Code z_BD alone: frees each map once the next is there, which is all a driving picture needs."""
        return self.to_code(self.blocks(self._enter(picture_BCHW)))

    def _enter(self, picture_BCHW: Tensor) -> Tensor:
        """The map of full size, at the precision of the weights (`liax.model.frozen` lowers it)."""
        return self.first(picture_BCHW.to(self.first.conv.weight.dtype))


class ToCode(nn.Module):
    """Equalised 4×4 convolution of the last map to the code, without bias: B×C×4×4 to B×D, always float32.

    Everything that moves is computed from the code. A matrix product for the same reason as `ToFlow`.
    """

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(style_dim, channels, COARSEST_PX, COARSEST_PX))
        self.scale = 1 / math.sqrt(channels * COARSEST_PX**2)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        with full_precision(x_BCHW):
            return functional.linear(at_least_float32(x_BCHW).flatten(1), self.weight.flatten(1)) * self.scale
