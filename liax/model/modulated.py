"""Convolutions whose weights a code modulates (StyleGAN2: Karras et al. 2020, §2.2), without a weight per sample.

Shapes: B batch, D style width, I/O channels in/out, H W pixels, K taps.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.model.layers import GAIN, SLOPE, Blur, EqualLinear, at_least_float32, full_precision


class ModulatedConv2d(nn.Module):
    """k×k convolution by w' = w/√fan_in · style(z), demodulated by 1/√(Σ w'² + 1e-8), plus a bias.

    The style scales input channels and the demodulation scales output channels, so both are applied to the maps and
    all samples share one convolution. Both factors are computed in float32 whatever the autocast.

    `up` doubles the map by a transposed convolution and a blur. `gain` multiplies the result, bias included.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_px: int,
        style_dim: int,
        *,
        up: bool = False,
        demodulate: bool = True,
        gain: float = 1,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_px, kernel_px))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.modulation = EqualLinear(style_dim, in_channels, bias=1)
        self.blur = Blur(1, gain=4) if up else None
        self.demodulate = demodulate
        self.scale = 1 / math.sqrt(in_channels * kernel_px**2)
        self.gain = gain

    def factors(self, z_BD: Tensor) -> tuple[Tensor, Tensor]:
        """What multiplies the input's channels (B×I) and the output's (B×O or 1×1), in float32."""
        with full_precision(z_BD):
            style_BI = self.modulation(at_least_float32(z_BD)) * self.scale
            if not self.demodulate:
                return style_BI, style_BI.new_full((1, 1), self.gain)
            power_OI = at_least_float32(self.weight).square().sum(dim=(2, 3))
            power_BO = style_BI.square() @ power_OI.T
            return style_BI, torch.rsqrt(power_BO + 1e-8) * self.gain

    def forward(self, x_BIHW: Tensor, z_BD: Tensor) -> Tensor:
        style_BI, factor_BO = self.factors(z_BD)
        x_BIHW = x_BIHW * style_BI.to(x_BIHW.dtype)[..., None, None]
        if self.blur is not None:
            y_BOHW = self.blur(functional.conv_transpose2d(x_BIHW, self.weight.transpose(0, 1), stride=2))
        else:
            y_BOHW = functional.conv2d(x_BIHW, self.weight, padding=self.weight.shape[-1] // 2)
        bias_O11 = (self.bias * self.gain).to(y_BOHW.dtype)[:, None, None]
        return torch.addcmul(bias_O11, y_BOHW, factor_BO.to(y_BOHW.dtype)[..., None, None])


class StyledConv(nn.Module):
    """3×3 modulated convolution, doubling the map if `up`, with bias and activation."""

    def __init__(self, in_channels: int, out_channels: int, style_dim: int, *, up: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(in_channels, out_channels, 3, style_dim, up=up, gain=GAIN)

    def forward(self, x_BIHW: Tensor, z_BD: Tensor) -> Tensor:
        return functional.leaky_relu(self.conv(x_BIHW, z_BD), SLOPE, inplace=True)
