"""A network for inference: the constant parts of every weight multiplied out once, at the precision that is wanted.

Training needs equalised weights, which are scaled whenever they are used; a network that does not change anymore does
not. The layers are replaced by ones with the same calls.

Shapes: B batch, D style width, I/O channels in/out, H W pixels, K taps.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.model.layers import EqualConv2d, EqualLinear, at_least_float32
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
                setattr(module, name, _conv(child, here))
            elif isinstance(child, EqualLinear):
                setattr(module, name, _linear(child, child.scale))
            elif isinstance(child, ModulatedConv2d):
                setattr(module, name, FrozenModulatedConv2d(child, here))
            elif isinstance(child, nn.GroupNorm):
                child.to(dtype)
    model.decoder.constant.data = model.decoder.constant.to(dtype)
    # Channels last is the order in which convolutions read and write a map in one go, on CPU and GPU alike.
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class FrozenModulatedConv2d(nn.Module):
    """`ModulatedConv2d` that knows its weights' power and applies a single sample's factors to the weights.

    For one sample that costs less than passing over its maps twice. For several, all share one convolution.
    """

    weight_OIKK: Tensor
    power_OI: Tensor | None
    bias_O: Tensor

    def __init__(self, trained: ModulatedConv2d, dtype: torch.dtype) -> None:
        super().__init__()
        self.modulation = _linear(trained.modulation, trained.modulation.scale, trained.scale)
        power_OI = at_least_float32(trained.weight).square().sum(dim=(2, 3))
        self.register_buffer("power_OI", power_OI if trained.demodulate else None)
        self.register_buffer("weight_OIKK", trained.weight.detach().to(dtype))
        self.register_buffer("bias_O", (trained.bias * trained.gain).detach().to(dtype))
        self.blur, self.gain = trained.blur, trained.gain

    def forward(self, x_BIHW: Tensor, z_BD: Tensor) -> Tensor:
        style_BI = self.modulation(at_least_float32(z_BD))
        if self.power_OI is None:
            factor_BO = style_BI.new_full((len(style_BI), 1), self.gain)
        else:
            factor_BO = torch.rsqrt(style_BI.square() @ self.power_OI.T + 1e-8) * self.gain
        if len(style_BI) == 1:
            weight_OIKK = (self.weight_OIKK * (factor_BO.T * style_BI)[..., None, None]).to(x_BIHW.dtype)
            return self._convolve(x_BIHW, weight_OIKK, self.bias_O)
        y_BOHW = self._convolve(x_BIHW * style_BI.to(x_BIHW.dtype)[..., None, None], self.weight_OIKK, None)
        factor_BO11 = factor_BO.to(y_BOHW.dtype)[..., None, None]
        return torch.addcmul(self.bias_O[:, None, None], y_BOHW, factor_BO11)

    def _convolve(self, x_BIHW: Tensor, weight_OIKK: Tensor, bias_O: Tensor | None) -> Tensor:
        if self.blur is None:
            return functional.conv2d(x_BIHW, weight_OIKK, bias_O, padding=weight_OIKK.shape[-1] // 2)
        y_BOHW = self.blur(functional.conv_transpose2d(x_BIHW, weight_OIKK.transpose(0, 1), stride=2))
        return y_BOHW if bias_O is None else y_BOHW.add_(bias_O[:, None, None])


def _conv(trained: EqualConv2d, dtype: torch.dtype) -> nn.Conv2d:
    out_channels, in_channels, kernel_px, _ = trained.weight.shape
    conv = nn.utils.skip_init(
        nn.Conv2d,
        in_channels,
        out_channels,
        kernel_px,
        trained.stride,
        trained.padding,
        bias=trained.bias is not None,
        device=trained.weight.device,
        dtype=dtype,
    )
    conv.weight.copy_(trained.weight * trained.scale)
    if conv.bias is not None and trained.bias is not None:
        conv.bias.copy_(trained.bias * trained.gain)
    return conv


def _linear(trained: EqualLinear, weight_factor: float, factor: float = 1) -> nn.Linear:
    out_features, in_features = trained.weight.shape
    linear = nn.utils.skip_init(nn.Linear, in_features, out_features, device=trained.weight.device)
    linear.weight.copy_(trained.weight * (weight_factor * factor))
    linear.bias.copy_(trained.bias * factor)
    return linear
