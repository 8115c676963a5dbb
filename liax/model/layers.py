"""The equalised layers that encoder, decoder and discriminator are made of.

Equalised: a weight is stored as drawn from N(0, 1) and multiplied by 1/√fan_in when used (Karras et al. 2018, §4.1), so
that Adam's step has the same relative size in every layer. Blurred resampling is StyleGAN2's (Karras et al. 2020, B).

Shapes: B batch, C/I/O channels (any/in/out), H W pixels, K taps.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
"""Negative slope of every leaky ReLU."""

GAIN = math.sqrt(2)
"""Factor after every activation, which keeps the variance of its input.

A leaky ReLU passes positive factors through, so the layers multiply their small weights by it instead of their large
outputs.
"""


def at_least_float32(x: Tensor) -> Tensor:
    """`x` itself when it is float32 or float64, else a float32 copy."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def full_precision(x: Tensor) -> torch.autocast:
    """A context in which autocast leaves operations on `x`'s device alone."""
    return torch.autocast(x.device.type, enabled=False)


def order(x_BCHW: Tensor) -> torch.memory_format:
    """Whether a map lies in memory with its channels last or first."""
    last = x_BCHW.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def plus(y: Tensor, x: Tensor, factor: float = 1) -> Tensor:
    """`y + factor·x` in the memory of `y`, which nobody else may hold, unless gradients need what is in it.

    At 512 px a new map costs as much time as the sum, for the operating system hands out its pages one by one.
    """
    return torch.add(y, x, alpha=factor) if y.requires_grad else y.add_(x, alpha=factor)


def times(y: Tensor, factor: Tensor) -> Tensor:
    """`y · factor`, in the memory of `y` as `plus` does."""
    return y * factor if y.requires_grad else y.mul_(factor)


def largest_divisor(number: int, limit: int) -> int:
    """The largest divisor of `number` that is at most `limit`."""
    return next(divisor for divisor in range(limit, 0, -1) if number % divisor == 0)


class Blur(nn.Module):
    """Low-pass filter by outer([1, 3, 3, 1])/64 with zero padding; a B×C×H×W map grows by 2·padding − 3 pixels."""

    kernel_KK: Tensor

    def __init__(self, padding: int, *, gain: float = 1, stride: int = 1) -> None:
        super().__init__()
        # On the CPU whatever the default device, so that a network whose weights are still to come has its constants.
        taps_K = torch.tensor([1.0, 3.0, 3.0, 1.0], device="cpu")
        self.register_buffer("kernel_KK", torch.outer(taps_K, taps_K) * (gain / 64), persistent=False)
        self.padding = padding
        self.stride = stride

    def forward(self, x_BCHW: Tensor) -> Tensor:
        channels = x_BCHW.shape[1]
        kernel_C1KK = self.kernel_KK.to(x_BCHW.dtype).expand(channels, 1, 4, 4)
        return functional.conv2d(x_BCHW, kernel_C1KK, stride=self.stride, padding=self.padding, groups=channels)


def upsample(x_BCHW: Tensor) -> Tensor:
    """Doubles a map: zeros between its pixels, then the blur ×4 with padding (2 before, 1 after).

    That is bilinear interpolation with zeros round the map, which needs no map with zeros in it.
    """
    padded_BCHW = functional.pad(x_BCHW, (1, 1, 1, 1))
    return functional.interpolate(padded_BCHW, scale_factor=2.0, mode="bilinear", align_corners=False)[..., 2:-2, 2:-2]


class EqualLinear(nn.Module):
    """B×I to B×O: equalised matrix and a bias that starts at `bias`."""

    def __init__(self, in_features: int, out_features: int, *, bias: float = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))
        self.bias = nn.Parameter(torch.full((out_features,), float(bias)))
        self.scale = 1 / math.sqrt(in_features)

    def forward(self, x_BI: Tensor) -> Tensor:
        return functional.linear(x_BI, self.weight * self.scale, self.bias)


class EqualConv2d(nn.Module):
    """Equalised k×k convolution whose result is multiplied by `gain`, bias included."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_px: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = False,
        gain: float = 1,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_px, kernel_px))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale = gain / math.sqrt(in_channels * kernel_px**2)
        self.gain = gain
        self.stride = stride
        self.padding = padding

    def forward(self, x_BIHW: Tensor) -> Tensor:
        bias_O = None if self.bias is None else self.bias * self.gain
        return functional.conv2d(x_BIHW, self.weight * self.scale, bias_O, self.stride, self.padding)


class ConvLayer(nn.Module):
    """k×k convolution, resampled if asked, then bias and activation unless `active` is false (then neither).

    "up" doubles the map before the convolution; "down" blurs it and convolves with stride 2. `gain` multiplies the
    result.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_px: int,
        *,
        resample: Literal["up", "down"] | None = None,
        active: bool = True,
        gain: float = GAIN,
    ) -> None:
        super().__init__()
        self.up = resample == "up"
        down = resample == "down"
        # A 1×1 convolution reads only every second blurred pixel, so the blur takes the stride and skips the others.
        point = kernel_px == 1
        self.blur = Blur((kernel_px + 1) // 2, stride=2 if point else 1) if down else None
        self.conv = EqualConv2d(
            in_channels,
            out_channels,
            kernel_px,
            stride=2 if down and not point else 1,
            padding=0 if down else kernel_px // 2,
            bias=active,
            gain=gain,
        )
        self.active = active

    def forward(self, x_BIHW: Tensor) -> Tensor:
        if self.up:
            x_BIHW = upsample(x_BIHW)
        if self.blur is not None:
            x_BIHW = self.blur(x_BIHW)
        y_BOHW = self.conv(x_BIHW)
        return functional.leaky_relu(y_BOHW, SLOPE, inplace=True) if self.active else y_BOHW


class DownBlock(nn.Module):
    """Residual block that halves the map: (conv3↓(conv3(x)) + conv1↓(x)) / √2, the latter without activation.

    Both terms come out of their layers divided already: a leaky ReLU passes positive factors through.

    `between` is the channel count between the two 3×3 convolutions: the output's in LIA-X's encoder, the input's in
    StyleGAN2's discriminator.
    """

    def __init__(self, in_channels: int, out_channels: int, *, between: int) -> None:
        super().__init__()
        self.conv1 = ConvLayer(in_channels, between, 3)
        self.conv2 = ConvLayer(between, out_channels, 3, resample="down", gain=1)
        self.skip = ConvLayer(in_channels, out_channels, 1, resample="down", active=False, gain=1 / GAIN)

    def forward(self, x_BIHW: Tensor) -> Tensor:
        return plus(self.conv2(self.conv1(x_BIHW)), self.skip(x_BIHW))
