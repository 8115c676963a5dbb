"""Convolutions whose weights a code modulates (StyleGAN2: Karras et al. 2020, §2.2), without a weight per sample.

Shapes: B batch, D style width, I/O channels in/out, H W pixels, K taps.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.model.layers import GAIN, SLOPE, Blur, EqualLinear, at_least_float32, full_precision


class ModulatedConv2d(nn.Module):
    """3×3 convolution by w' = w/√fan_in · style(z), demodulated by 1/√(Σ w'² + 1e-8), plus a bias.

    The style scales input channels and the demodulation scales output channels, so both are applied to the maps and
    all samples share one convolution. Both factors are computed in float32 whatever the autocast.

    `up` doubles the map by a transposed convolution and a blur. `gain` multiplies the result, bias included.
    """

    def __init__(
        self, in_channels: int, out_channels: int, style_dim: int, *, up: bool = False, gain: float = 1
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.modulation = EqualLinear(style_dim, in_channels, bias=1)
        self.blur = Blur(1, gain=4) if up else None
        self.scale = 1 / math.sqrt(in_channels * 3**2)
        self.gain = gain

    def factors(self, z_BD: Tensor) -> tuple[Tensor, Tensor]:
        """What multiplies the input's channels (B×I) and the output's (B×O), in float32."""
        with full_precision(z_BD):
            style_BI = self.modulation(at_least_float32(z_BD)) * self.scale
            power_OI = at_least_float32(self.weight).square().sum(dim=(2, 3))
            power_BO = style_BI.square() @ power_OI.T
            return style_BI, torch.rsqrt(power_BO + 1e-8) * self.gain

    def forward(self, x_BIHW: Tensor, z_BD: Tensor) -> Tensor:
        style_BI, factor_BO = self.factors(z_BD)
        x_BIHW = x_BIHW * style_BI.to(x_BIHW.dtype)[..., None, None]
        if self.blur is not None:
            y_BOHW = self.blur(functional.conv_transpose2d(x_BIHW, self.weight.transpose(0, 1), stride=2))
        else:
            y_BOHW = functional.conv2d(x_BIHW, self.weight, padding=1)
        bias_O11 = (self.bias * self.gain).to(y_BOHW.dtype)[:, None, None]
        return torch.addcmul(bias_O11, y_BOHW, factor_BO.to(y_BOHW.dtype)[..., None, None])


class StyledConv(nn.Module):
    """Modulated convolution, doubling the map if `up`, with bias and activation."""

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, *, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, style_dim, up=up, gain=GAIN)

    def forward(self, x_BIHW: Tensor, z_BD: Tensor) -> Tensor:
        return functional.leaky_relu(self.conv(x_BIHW, z_BD), SLOPE, inplace=True)


class ToFlow(nn.Module):
    """1×1 convolution to x, y and mask by w/√fan_in · style(z), not demodulated, plus a bias; always float32.

    bfloat16 has 8 significant bits: too few to name a pixel of 512. A matrix product, because on NVIDIA's GPUs PyTorch
    rounds a float32 convolution's inputs to 10 bits.
    """

    def __init__(self, in_channels: int, style_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))
        self.modulation = EqualLinear(style_dim, in_channels, bias=1)
        self.scale = 1 / math.sqrt(in_channels)

    def forward(self, x_BIHW: Tensor, z_BD: Tensor) -> Tensor:
        with full_precision(z_BD):
            style_BI = self.modulation(at_least_float32(z_BD)) * self.scale
            weight_B3I = self.weight.flatten(1) * style_BI[:, None]
            flow_B3P = torch.baddbmm(self.bias[:, None], weight_B3I, at_least_float32(x_BIHW).flatten(2))
            return flow_B3P.unflatten(2, x_BIHW.shape[2:])
