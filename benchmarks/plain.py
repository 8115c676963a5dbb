"""The same network plainly formulated: what `benchmarks/inference.py` compares with.

Three things are done as the formulas are usually written, and nothing else is changed: every sample of a batch has
modulated weights of its own, which one grouped convolution applies; the dictionary is orthonormalised at every call;
the source's maps are repeated for each driving frame.

Shapes: B batch, C channels, D style width, I/O channels in/out, H W pixels, K taps, M directions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.model.decoder import Decoder
from liax.model.modulated import ModulatedConv2d
from liax.model.network import LiaX


class PerSampleConv2d(nn.Module):
    """`ModulatedConv2d` with weights B×O×I×K×K."""

    def __init__(self, fast: ModulatedConv2d) -> None:
        super().__init__()
        self.fast = fast

    def forward(self, x_BIHW: Tensor, z_BD: Tensor) -> Tensor:
        fast = self.fast
        batch, channels_in, height_px, width_px = x_BIHW.shape
        style_BI = fast.modulation(z_BD)
        weight_BOIKK = fast.scale * fast.weight[None] * style_BI[:, None, :, None, None]
        factor_BO = torch.rsqrt(weight_BOIKK.square().sum(dim=(2, 3, 4)) + 1e-8)
        weight_BOIKK = weight_BOIKK * factor_BO[..., None, None, None]
        x_1NHW = x_BIHW.reshape(1, batch * channels_in, height_px, width_px)
        if fast.blur is not None:
            weight_NOKK = weight_BOIKK.transpose(1, 2).flatten(0, 1)
            y_1NHW = functional.conv_transpose2d(x_1NHW, weight_NOKK, stride=2, groups=batch)
        else:
            weight_NIKK = weight_BOIKK.flatten(0, 1)
            y_1NHW = functional.conv2d(x_1NHW, weight_NIKK, padding=weight_NIKK.shape[-1] // 2, groups=batch)
        y_BOHW = y_1NHW.reshape(batch, -1, *y_1NHW.shape[2:])
        if fast.blur is not None:
            y_BOHW = fast.blur(y_BOHW)
        return (y_BOHW + fast.bias[:, None, None]) * fast.gain


class RepeatingDecoder(nn.Module):
    """`Decoder` whose maps have the codes' batch."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, z_BD: Tensor, features: Sequence[Tensor]) -> Tensor:
        return self.decoder(z_BD, [feature.repeat(len(z_BD), 1, 1, 1) for feature in features])


def plainly(model: LiaX) -> LiaX:
    """Make the network compute plainly, in place; it keeps its parameters and its calls."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, ModulatedConv2d):
                setattr(module, name, PerSampleConv2d(child))
    model.decoder = RepeatingDecoder(model.decoder)  # type: ignore[assignment]
    return model
