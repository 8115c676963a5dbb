"""Equalised layers and blurred resampling, against their definitions written out."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from liax.model.layers import Blur, ConvLayer, DownBlock, EqualConv2d, EqualLinear, largest_divisor, upsample

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)
KERNEL = torch.outer(TAPS, TAPS) / 64


def blurred(x: Tensor, before: int, after: int) -> Tensor:
    """Every channel filtered by the 4×4 kernel, with zeros round the map."""
    padded = functional.pad(x, (before, after, before, after))
    patches = padded.unfold(2, 4, 1).unfold(3, 4, 1)
    return (patches * KERNEL).sum(dim=(-1, -2))


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("padding", "stride"), [(1, 1), (2, 1), (1, 2)])
def test_blur_filters_each_channel(padding: int, stride: int) -> None:
    x = drawn(2, 3, 8, 6)
    expected = 4 * blurred(x, padding, padding)[..., ::stride, ::stride]
    torch.testing.assert_close(Blur(padding, gain=4, stride=stride).double()(x), expected)


def test_upsample_is_zero_insertion_and_blur() -> None:
    x = drawn(2, 3, 5, 4)
    sparse = torch.zeros(2, 3, 10, 8, dtype=torch.float64)
    sparse[..., ::2, ::2] = x
    torch.testing.assert_close(upsample(x), 4 * blurred(sparse, 2, 1))


def test_equalised_weights_are_scaled_by_fan_in() -> None:
    linear = EqualLinear(16, 4, bias=1)
    x = torch.randn(3, 16)
    torch.testing.assert_close(linear(x), x @ linear.weight.T / 4 + 1)
    conv = EqualConv2d(4, 2, 3, padding=1)
    x = torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(conv(x), functional.conv2d(x, conv.weight / 6, padding=1))


def test_a_layer_keeps_the_variance_of_its_input() -> None:
    torch.manual_seed(0)
    y = ConvLayer(64, 64, 3)(torch.randn(4, 64, 32, 32)).detach()
    assert float(y[..., 1:-1, 1:-1].square().mean()) == pytest.approx(1.04, rel=0.1)  # (1 + 0.2²)/2 · 2


@pytest.mark.parametrize(("kernel_px", "padding"), [(3, 2), (1, 1)])
def test_down_blurs_and_takes_every_second_pixel(kernel_px: int, padding: int) -> None:
    layer = ConvLayer(3, 5, kernel_px, resample="down").double()
    torch.nn.init.normal_(layer.conv.bias)
    x = drawn(2, 3, 8, 8)
    scaled = layer.conv.weight / math.sqrt(3 * kernel_px**2)
    mixed = functional.conv2d(blurred(x, padding, padding), scaled, stride=2) + layer.conv.bias[:, None, None]
    expected = functional.leaky_relu(mixed, 0.2) * math.sqrt(2)
    assert expected.shape == (2, 5, 4, 4)
    torch.testing.assert_close(layer(x), expected)


def test_up_doubles_before_the_convolution() -> None:
    layer = ConvLayer(3, 5, 3, resample="up")
    x = torch.randn(1, 3, 4, 4)
    assert layer(x).shape == (1, 5, 8, 8)
    torch.testing.assert_close(layer(x), functional.leaky_relu(layer.conv(upsample(x)), 0.2))


def test_an_inactive_layer_is_linear_and_has_no_bias() -> None:
    layer = ConvLayer(3, 5, 1, resample="down", active=False)
    x = torch.randn(1, 3, 8, 8)
    assert layer.conv.bias is None
    torch.testing.assert_close(layer(-x), -layer(x))


def test_the_discriminators_and_the_encoders_block_differ_between_their_convolutions() -> None:
    assert DownBlock(4, 8, between=4).conv1.conv.weight.shape[0] == 4
    block = DownBlock(4, 8, between=8)
    assert block.conv1.conv.weight.shape[0] == 8
    x = torch.randn(1, 4, 8, 8)
    second, skip = ConvLayer(8, 8, 3, resample="down"), ConvLayer(4, 8, 1, resample="down", active=False, gain=1)
    second.load_state_dict(block.conv2.state_dict())
    skip.load_state_dict(block.skip.state_dict())
    torch.testing.assert_close(block(x), (second(block.conv1(x)) + skip(x)) / math.sqrt(2))


def test_largest_divisor() -> None:
    assert [largest_divisor(number, 32) for number in (64, 48, 8, 37)] == [32, 24, 8, 1]
