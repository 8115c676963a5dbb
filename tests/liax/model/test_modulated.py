"""Modulated convolutions against a weight built for each sample."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from liax.model.modulated import ModulatedConv2d, StyledConv, ToFlow
from tests.liax.model.test_layers import blurred

STYLE_DIM = 6


def sample_by_sample(layer: ModulatedConv2d | ToFlow, x: Tensor, z: Tensor, *, demodulate: bool, up: bool) -> Tensor:
    """The definition: each sample is convolved with its own weight."""
    outputs = []
    for picture, code in zip(x, z, strict=True):
        style = layer.modulation.weight @ code / math.sqrt(STYLE_DIM) + layer.modulation.bias
        weight = layer.weight / math.sqrt(layer.weight[0].numel()) * style[None, :, None, None]
        if demodulate:
            weight = weight / torch.sqrt(weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        if up:
            wide = functional.conv_transpose2d(picture[None], weight.transpose(0, 1), stride=2)
            outputs.append(4 * blurred(wide, 1, 1))
        else:
            outputs.append(functional.conv2d(picture[None], weight, padding=weight.shape[-1] // 2))
    return torch.cat(outputs) + layer.bias[:, None, None]


@pytest.mark.parametrize("up", [False, True])
def test_it_is_a_convolution_with_a_weight_per_sample(up: bool) -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(4, 5, STYLE_DIM, up=up).double()
    torch.nn.init.normal_(layer.bias)
    x, z = torch.randn(3, 4, 8, 8).double(), torch.randn(3, STYLE_DIM).double()
    y = layer(x, z)
    assert y.shape == (3, 5, 16, 16) if up else (3, 5, 8, 8)
    torch.testing.assert_close(y, sample_by_sample(layer, x, z, demodulate=True, up=up))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_flow_is_a_convolution_that_is_not_demodulated(memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    layer = ToFlow(4, STYLE_DIM).double()
    torch.nn.init.normal_(layer.bias)
    x, z = torch.randn(3, 4, 8, 6).double(), torch.randn(3, STYLE_DIM).double()
    y = layer(x.contiguous(memory_format=memory_format), z)
    torch.testing.assert_close(y, sample_by_sample(layer, x, z, demodulate=False, up=False))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer.float()(x.bfloat16(), z.float()).dtype == torch.float32


def test_demodulation_is_float32_under_autocast() -> None:
    layer = ModulatedConv2d(4, 5, STYLE_DIM)
    x, z = torch.randn(2, 4, 8, 8), torch.randn(2, STYLE_DIM)
    expected = layer.factors(z)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer.factors(z)
        assert layer(x, z).dtype == torch.bfloat16
    assert [tuple(factor.shape) for factor in found] == [(2, 4), (2, 5)]
    for factor, reference in zip(found, expected, strict=True):
        assert factor.dtype == torch.float32
        torch.testing.assert_close(factor, reference, rtol=1e-6, atol=0)


def test_styled_is_activated() -> None:
    layer = StyledConv(4, 5, STYLE_DIM)
    plain = ModulatedConv2d(4, 5, STYLE_DIM)
    plain.load_state_dict(layer.conv.state_dict())
    x, z = torch.randn(2, 4, 8, 8), torch.randn(2, STYLE_DIM)
    torch.testing.assert_close(layer(x, z), functional.leaky_relu(plain(x, z), 0.2) * math.sqrt(2))
