"""The decoder: warps the source's maps by a flow that the code decides, and renders them (LIA-X, arXiv 2508.09959, §3).

Two branches climb the levels together. The flow branch turns the code into an offset field and a mask for each level;
the render branch turns the warped maps into a picture.

Shapes: B batch, C/I channels (of the level/of the level below), H W pixels, D style width.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.model.config import COARSEST_PX, ModelConfig
from liax.model.layers import GAIN, ConvLayer, at_least_float32, largest_divisor, order, plus, times, upsample
from liax.model.modulated import StyledConv, ToFlow


class FlowBlock(nn.Module):
    """h = styled(x); h + γ · styled(GroupNorm(h)), γ per channel and small at first."""

    def __init__(self, channels: int, style_dim: int) -> None:
        super().__init__()
        self.conv1 = StyledConv(channels, channels, style_dim)
        self.norm = nn.GroupNorm(largest_divisor(channels, 32), channels, eps=1e-5)
        self.conv2 = StyledConv(channels, channels, style_dim)
        self.gamma = nn.Parameter(torch.full((1, channels, 1, 1), 1e-5))

    def forward(self, x_BCHW: Tensor, z_BD: Tensor) -> Tensor:
        h_BCHW = self.conv1(x_BCHW, z_BD)
        y_BCHW = self.conv2(self.norm(h_BCHW), z_BD)
        return plus(times(y_BCHW, self.gamma.to(y_BCHW.dtype)), h_BCHW)


class RenderBlock(nn.Module):
    """(conv3(conv3(r)) + r) / √2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvLayer(channels, channels, 3)
        self.conv2 = ConvLayer(channels, channels, 3, gain=1)  # divided by √2 already

    def forward(self, r_BCHW: Tensor) -> Tensor:
        return plus(self.conv2(self.conv1(r_BCHW)), r_BCHW, 1 / GAIN)


class ToRGB(nn.Module):
    """1×1 layer to three channels with its activation, plus a second bias; float32."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = ConvLayer(channels, 3, 1)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, r_BCHW: Tensor) -> Tensor:
        return at_least_float32(self.conv(r_BCHW)) + self.bias


class Climb(NamedTuple):
    """What a level hands to the next."""

    h_BCHW: Tensor
    """The flow branch, source already warped in."""
    flow_B3HW: Tensor
    """Offsets x, y and mask, before tanh and sigmoid; float32."""
    render_BCHW: Tensor
    """The render branch."""
    rgb_B3HW: Tensor
    """The picture so far; float32."""


class Level(nn.Module):
    """One size of the decoder; `first` is the smallest, which has nothing rendered below it."""

    grid_1HW2: Tensor

    def __init__(self, size_px: int, below: int, channels: int, config: ModelConfig, *, first: bool) -> None:
        super().__init__()
        self.up = StyledConv(below, channels, config.style_dim, up=True)
        self.flow_blocks = nn.ModuleList(FlowBlock(channels, config.style_dim) for _ in range(config.blocks))
        self.to_flow = ToFlow(channels, config.style_dim)
        self.render_up = None if first else ConvLayer(below, channels, 3, resample="up")
        self.render_blocks = nn.Sequential(*(RenderBlock(channels) for _ in range(config.blocks)))
        self.to_rgb = ToRGB(channels)
        self.register_buffer("grid_1HW2", identity_grid(size_px), persistent=False)

    def forward(self, h_BIHW: Tensor, below: Climb | None, z_BD: Tensor, feature_BCHW: Tensor) -> Climb:
        h_BCHW = self.up(h_BIHW, z_BD)
        for block in self.flow_blocks:
            h_BCHW = block(h_BCHW, z_BD)
        flow_B3HW = self.to_flow(h_BCHW, z_BD)
        if below is not None:
            flow_B3HW = flow_B3HW + upsample(below.flow_B3HW)
        mask_B1HW = torch.sigmoid(flow_B3HW[:, 2:]).to(h_BCHW.dtype)
        # Sampling gives channels first; sums of maps in different orders are slow.
        warped_BCHW = self.warp(feature_BCHW, flow_B3HW).to(h_BCHW.dtype, memory_format=order(h_BCHW)) * mask_B1HW

        render_BCHW = warped_BCHW
        if self.render_up is not None and below is not None:
            render_BCHW = plus(self.render_up(below.render_BCHW), render_BCHW)
        render_BCHW = self.render_blocks(render_BCHW)
        rgb_B3HW = self.to_rgb(render_BCHW)
        if below is not None:
            rgb_B3HW = rgb_B3HW + upsample(below.rgb_B3HW)
        h_BCHW = torch.addcmul(warped_BCHW, 1 - mask_B1HW, h_BCHW)
        return Climb(h_BCHW, flow_B3HW, render_BCHW, rgb_B3HW)

    def warp(self, feature_BCHW: Tensor, flow_B3HW: Tensor) -> Tensor:
        """The feature sampled bilinearly where tanh(flow) added to the identity grid points, zeros outside; float32."""
        grid_BHW2 = self.grid_1HW2 + torch.tanh(flow_B3HW[:, :2]).permute(0, 2, 3, 1)
        # One source serves every frame of a batch without being copied.
        feature_BCHW = at_least_float32(feature_BCHW).expand(len(grid_BHW2), -1, -1, -1)
        return functional.grid_sample(
            feature_BCHW, grid_BHW2, mode="bilinear", padding_mode="zeros", align_corners=True
        )


class Decoder(nn.Module):
    """A learned constant and a styled convolution at 4 px, then one level for each size."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        sizes_px = (COARSEST_PX, *config.levels)
        channels = [config.channels(size_px) for size_px in sizes_px]
        self.constant = nn.Parameter(torch.randn(1, channels[0], COARSEST_PX, COARSEST_PX))
        self.start = StyledConv(channels[0], channels[0], config.style_dim)
        self.levels = nn.ModuleList(
            Level(size_px, below, here, config, first=size_px == config.levels[0])
            for size_px, (below, here) in zip(config.levels, pairwise(channels), strict=True)
        )

    def forward(self, z_BD: Tensor, features: Sequence[Tensor]) -> Tensor:
        """The picture B×3×H×W, float32, about [-1, 1] but not clamped.

        `features` are the source's maps, smallest first, of batch B or 1.
        """
        # In the order of the source's maps: every map of the decoder then lies as the constant does.
        constant_BCHW = self.constant.expand(len(z_BD), -1, -1, -1).contiguous(memory_format=order(features[-1]))
        h_BCHW = self.start(constant_BCHW, z_BD)
        climb: Climb | None = None
        for level, feature_BCHW in zip(self.levels, features, strict=True):
            climb = level(h_BCHW if climb is None else climb.h_BCHW, climb, z_BD, feature_BCHW)
        assert climb is not None
        return climb.rgb_B3HW


def identity_grid(size_px: int) -> Tensor:
    """1×H×W×2: each pixel's own position, x first, −1 and 1 at the outer pixels' centres."""
    axis = torch.linspace(-1, 1, size_px, device="cpu")
    y_HW, x_HW = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack((x_HW, y_HW), dim=-1)[None]
