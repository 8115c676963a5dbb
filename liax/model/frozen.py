"""A network for inference: the constant parts of every weight multiplied out once, at the precision that is wanted.

Training needs equalised weights, which are scaled whenever they are used; a network that does not change anymore does
not. The layers are replaced by ones with the same calls.

Shapes: B batch, D style width, I/O channels in/out, H W pixels, K taps.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.model import winograd
from liax.model.layers import EqualConv2d, EqualLinear, at_least_float32, plus
from liax.model.modulated import ModulatedConv2d
from liax.model.network import LiaX

KEPT = ("to_code", "to_flow")
"""Convolutions that stay float32: 8 significant bits are too few for a code, and name no pixel of 512."""


@torch.no_grad()
def freeze(model: LiaX, dtype: torch.dtype = torch.float32) -> LiaX:
    """Make the network an inference one, in place; there is no way back to training or to `save_model`.

    Args:
        model: on any device.
        dtype: of maps and of the weights that they meet. Codes, styles, demodulation, the dictionary, flow and
            pictures are float32 whatever it is.

    Returns:
        The same object, in eval mode, without gradients.
    """
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            here = torch.float32 if name in KEPT else dtype
            if isinstance(child, EqualConv2d):
                setattr(module, name, FrozenConv2d.of(child, here))
            elif isinstance(child, EqualLinear):
                setattr(module, name, _linear(child))
            elif isinstance(child, ModulatedConv2d):
                setattr(module, name, FrozenModulatedConv2d(child, here))
            elif isinstance(child, nn.GroupNorm):
                child.to(dtype)
    model.decoder.constant.data = model.decoder.constant.to(dtype)
    # Channels last is the order in which convolutions read and write a map in one go, on CPU and GPU alike.
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class FrozenConv2d(nn.Module):
    """A convolution with constant weights; see `liax.model.winograd` for how some are computed on a CPU."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight_OIKK: Tensor, bias_O: Tensor | None, stride: int, padding: int) -> None:
        super().__init__()
        self.register_buffer("weight", weight_OIKK.detach())
        self.register_buffer("bias", None if bias_O is None else bias_O.detach())
        self.stride, self.padding = stride, padding
        self._weights_36IO: Tensor | None = None

    @classmethod
    def of(cls, trained: EqualConv2d, dtype: torch.dtype) -> "FrozenConv2d":
        """The convolution that an equalised one is."""
        bias_O = None if trained.bias is None else (trained.bias * trained.gain).to(dtype)
        return cls((trained.weight * trained.scale).to(dtype), bias_O, trained.stride, trained.padding)

    def by_tiles(self, x_BIHW: Tensor) -> bool:
        """Whether this input is convolved tile by tile."""
        return (self.stride, self.padding) == (1, 1) and winograd.suits(x_BIHW, self.weight)

    def forward(self, x_BIHW: Tensor) -> Tensor:
        if not self.by_tiles(x_BIHW):
            return functional.conv2d(x_BIHW, self.weight, self.bias, self.stride, self.padding)
        if self._weights_36IO is None:
            self._weights_36IO = winograd.transformed(self.weight)
        y_BOHW = winograd.convolve(x_BIHW, self._weights_36IO)
        return y_BOHW if self.bias is None else plus(y_BOHW, self.bias[:, None, None])


class FrozenModulatedConv2d(nn.Module):
    """`ModulatedConv2d` that knows its weights' power and applies a single sample's factors to the weights.

    For one sample that costs less than passing over its maps twice. Several samples share one convolution.
    """

    power_OI: Tensor | None
    bias_O: Tensor

    def __init__(self, trained: ModulatedConv2d, dtype: torch.dtype) -> None:
        super().__init__()
        self.modulation = _linear(trained.modulation, trained.scale)
        power_OI = at_least_float32(trained.weight).square().sum(dim=(2, 3))
        self.register_buffer("power_OI", power_OI if trained.demodulate else None)
        self.conv = FrozenConv2d(trained.weight.to(dtype), None, 1, trained.weight.shape[-1] // 2)
        self.register_buffer("bias_O", (trained.bias * trained.gain).detach().to(dtype))
        self.blur, self.gain = trained.blur, trained.gain

    def forward(self, x_BIHW: Tensor, z_BD: Tensor) -> Tensor:
        style_BI = self.modulation(at_least_float32(z_BD))
        if self.power_OI is None:
            factor_BO = style_BI.new_full((len(style_BI), 1), self.gain)
        else:
            factor_BO = torch.rsqrt(style_BI.square() @ self.power_OI.T + 1e-8) * self.gain
        if len(style_BI) == 1 and (self.blur is not None or not self.conv.by_tiles(x_BIHW)):
            return self._alone(x_BIHW, (factor_BO.T * style_BI)[..., None, None])
        x_BIHW = x_BIHW * style_BI.to(x_BIHW.dtype)[..., None, None]
        y_BOHW = self.conv(x_BIHW) if self.blur is None else self._doubled(x_BIHW, self.conv.weight)
        return torch.addcmul(self.bias_O[:, None, None], y_BOHW, factor_BO.to(y_BOHW.dtype)[..., None, None])

    def _alone(self, x_1IHW: Tensor, factors_OI11: Tensor) -> Tensor:
        weight_OIKK = (self.conv.weight * factors_OI11).to(x_1IHW.dtype)
        if self.blur is not None:
            return plus(self._doubled(x_1IHW, weight_OIKK), self.bias_O[:, None, None])
        return functional.conv2d(x_1IHW, weight_OIKK, self.bias_O, padding=self.conv.padding)

    def _doubled(self, x_BIHW: Tensor, weight_OIKK: Tensor) -> Tensor:
        assert self.blur is not None
        return self.blur(functional.conv_transpose2d(x_BIHW, weight_OIKK.transpose(0, 1), stride=2))


def _linear(trained: EqualLinear, factor: float = 1) -> nn.Linear:
    """The linear layer that an equalised one is, times a factor."""
    out_features, in_features = trained.weight.shape
    linear = nn.utils.skip_init(nn.Linear, in_features, out_features, device=trained.weight.device)
    linear.weight.copy_(trained.weight * (trained.scale * factor))
    linear.bias.copy_(trained.bias * factor)
    return linear
