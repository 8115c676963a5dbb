"""A network for inference: the constant parts of every weight multiplied out once, at the precision that is wanted.

Training needs equalised weights, which are scaled whenever they are used; a network that does not change anymore does
not. The layers are replaced by ones with the same calls.

Shapes: B batch, D style width, I/O channels in/out, H W pixels, K taps.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.model import winograd
from liax.model.dictionary import MotionDictionary
from liax.model.layers import EqualConv2d, EqualLinear, at_least_float32, plus
from liax.model.modulated import ModulatedConv2d
from liax.model.network import LiaX


@torch.no_grad()
def freeze(model: LiaX, dtype: torch.dtype = torch.float32) -> LiaX:
    """Make the network an inference one, in place; there is no way back to training or to `save_model`.

    Args:
        model: on the CPU, where its basis is computed: another device's QR may choose other signs.
        dtype: of maps and of the weights that they meet. Codes, styles, demodulation, the dictionary, flow and
            pictures are float32 whatever it is.

    Returns:
        The same object, in eval mode, without gradients.
    """
    _freeze_children(model, dtype)
    model.decoder.constant.data = model.decoder.constant.to(dtype)
    return model.eval().requires_grad_(False)


def _freeze_children(module: nn.Module, dtype: torch.dtype) -> None:
    """Replace layer by layer, so that a large network is never held twice."""
    for name, child in module.named_children():
        frozen: nn.Module | None = None
        if isinstance(child, EqualConv2d):
            frozen = FrozenConv2d.of(child, dtype)
        elif isinstance(child, EqualLinear):
            frozen = _linear(child)
        elif isinstance(child, ModulatedConv2d):
            frozen = FrozenModulatedConv2d(child, dtype)
        elif isinstance(child, nn.GroupNorm):
            frozen = FrozenGroupNorm(child)
        elif isinstance(child, MotionDictionary):
            frozen = FrozenDictionary(child)
        if frozen is None:
            _freeze_children(child, dtype)
        else:
            setattr(module, name, frozen)


class FrozenConv2d(nn.Module):
    """A convolution with constant weights; see `liax.model.winograd` for how some are computed on a CPU."""

    weight: Tensor
    bias: Tensor | None

    def __init__(self, weight_OIKK: Tensor, bias_O: Tensor | None, stride: int, padding: int) -> None:
        super().__init__()
        # Channels last is the order in which convolutions read and write a map in one go, on CPU and GPU alike.
        self.register_buffer("weight", weight_OIKK.detach().contiguous(memory_format=torch.channels_last))
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
    """`ModulatedConv2d` that knows its weights' power.

    A single sample's factors are applied to the weights where its maps are larger than they are; else, and for several
    samples, to the maps.
    """

    power_OI: Tensor
    bias_O: Tensor

    def __init__(self, trained: ModulatedConv2d, dtype: torch.dtype) -> None:
        super().__init__()
        self.modulation = _linear(trained.modulation, trained.scale)
        self.blur, self.gain = trained.blur, trained.gain
        weight_OIKK = trained.weight.to(dtype)
        # A transposed convolution wants its weights with in and out swapped.
        self.conv = FrozenConv2d(weight_OIKK if self.blur is None else weight_OIKK.transpose(0, 1), None, 1, 1)
        self.register_buffer("power_OI", at_least_float32(trained.weight).square().sum(dim=(2, 3)))
        self.register_buffer("bias_O", (trained.bias * trained.gain).detach().to(dtype))

    def forward(self, x_BIHW: Tensor, z_BD: Tensor) -> Tensor:
        style_BI = self.modulation(at_least_float32(z_BD))
        factor_BO = torch.rsqrt(style_BI.square() @ self.power_OI.T + 1e-8) * self.gain
        if self._on_weights(x_BIHW, z_BD):
            factors_OI = factor_BO.T * style_BI
            factors = (factors_OI if self.blur is None else factors_OI.T)[..., None, None]
            weight = (self.conv.weight * factors).to(x_BIHW.dtype)
            if self.blur is None:
                return functional.conv2d(x_BIHW, weight, self.bias_O, padding=1)
            return plus(self.blur(functional.conv_transpose2d(x_BIHW, weight, stride=2)), self.bias_O[:, None, None])
        x_BIHW = x_BIHW * style_BI.to(x_BIHW.dtype)[..., None, None]
        if self.blur is None:
            y_BOHW = self.conv(x_BIHW)
        else:
            y_BOHW = self.blur(functional.conv_transpose2d(x_BIHW, self.conv.weight, stride=2))
        return torch.addcmul(self.bias_O[:, None, None], y_BOHW, factor_BO.to(y_BOHW.dtype)[..., None, None])

    def _on_weights(self, x_BIHW: Tensor, z_BD: Tensor) -> bool:
        if len(z_BD) > 1 or (self.blur is None and self.conv.by_tiles(x_BIHW)):
            return False
        pixels = x_BIHW[0, 0].numel() * (1 if self.blur is None else 4)
        return pixels * (sum(self.conv.weight.shape[:2])) > self.conv.weight.numel()


class FrozenGroupNorm(nn.Module):
    """`nn.GroupNorm` as one factor and one summand a channel: PyTorch's own reorders channels-last maps on a GPU."""

    weight_C: Tensor
    bias_C: Tensor

    def __init__(self, trained: nn.GroupNorm) -> None:
        super().__init__()
        self.groups, self.eps = trained.num_groups, trained.eps
        self.register_buffer("weight_C", trained.weight.detach())
        self.register_buffer("bias_C", trained.bias.detach())

    def forward(self, x_BCHW: Tensor) -> Tensor:
        pixels = x_BCHW[0, 0].numel()
        mean_BC = x_BCHW.mean(dim=(2, 3), dtype=torch.float32)
        power_BC = torch.linalg.vector_norm(x_BCHW, dim=(2, 3), dtype=torch.float32).square() / pixels
        mean_BG, power_BG = (t.unflatten(1, (self.groups, -1)).mean(dim=2) for t in (mean_BC, power_BC))
        inverse_BG = torch.rsqrt((power_BG - mean_BG.square()).clamp_min(0) + self.eps)
        in_group = self.weight_C.numel() // self.groups
        factor_BC = inverse_BG.repeat_interleave(in_group, dim=1) * self.weight_C
        summand_BC = self.bias_C - mean_BG.repeat_interleave(in_group, dim=1) * factor_BC
        factor_BC11, summand_BC11 = (t.to(x_BCHW.dtype)[..., None, None] for t in (factor_BC, summand_BC))
        return torch.addcmul(summand_BC11, x_BCHW, factor_BC11)


class FrozenDictionary(nn.Module):
    """The basis of a `MotionDictionary`, computed once."""

    weight: Tensor
    basis_DM: Tensor

    def __init__(self, trained: MotionDictionary) -> None:
        super().__init__()
        self.register_buffer("weight", trained.weight.detach())
        self.register_buffer("basis_DM", trained().detach())

    def forward(self) -> Tensor:
        """Q_DM, float32."""
        return self.basis_DM


def _linear(trained: EqualLinear, factor: float = 1) -> nn.Linear:
    """The linear layer that an equalised one is, times a factor."""
    out_features, in_features = trained.weight.shape
    linear = nn.utils.skip_init(nn.Linear, in_features, out_features, device=trained.weight.device)
    linear.weight.copy_(trained.weight * (trained.scale * factor))
    linear.bias.copy_(trained.bias * factor)
    return linear
