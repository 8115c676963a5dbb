"""Convolution by tiles is convolution."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from liax.model import winograd
from liax.model.frozen import FrozenConv2d
from liax.model.layers import ConvLayer
from liax.model.modulated import ModulatedConv2d
from tests.liax.model import drawn


@settings(max_examples=30)
@given(
    batch=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    tiles=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    stripe_bytes=st.sampled_from([1, 20_000, winograd.STRIPE_BYTES]),
    seed=st.integers(0, 99),
)
def test_agrees_with_the_direct_sum(
    batch: int, channels: tuple[int, int], tiles: tuple[int, int], stripe_bytes: int, seed: int
) -> None:
    torch.manual_seed(seed)
    x = torch.randn(batch, channels[0], 4 * tiles[0], 4 * tiles[1], dtype=torch.float64)
    weight = torch.randn(channels[1], channels[0], 3, 3, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "STRIPE_BYTES", stripe_bytes)
        found = winograd.convolve(x, winograd.transformed(weight))
    torch.testing.assert_close(found, functional.conv2d(x, weight, padding=1))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_rounds_to_a_few_millionths() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(1, 128, 32, 32), torch.randn(128, 128, 3, 3)
    exact = functional.conv2d(x.double(), weight.double(), padding=1)
    assert drawn.distance(winograd.convolve(x, winograd.transformed(weight)).double(), exact) < 5e-6


@pytest.mark.parametrize(
    ("x_shape", "weight_shape", "dtype", "expected"),
    [
        ((1, 128, 32, 32), (256, 128, 3, 3), torch.float32, True),
        ((1, 128, 32, 32), (256, 128, 3, 3), torch.bfloat16, False),
        ((1, 128, 32, 32), (256, 128, 1, 1), torch.float32, False),
        ((1, 128, 16, 16), (256, 128, 3, 3), torch.float32, False),
        ((1, 128, 34, 34), (256, 128, 3, 3), torch.float32, False),
        ((1, 64, 32, 32), (128, 64, 3, 3), torch.float32, False),
        ((1, 512, 32, 32), (512, 512, 3, 3), torch.float32, False),
    ],
)
def test_which_convolutions_it_is_for(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], dtype: torch.dtype, expected: bool
) -> None:
    assert winograd.suits(torch.empty(x_shape, dtype=dtype), torch.empty(weight_shape, dtype=dtype)) == expected


@torch.no_grad()
def test_layers_take_it_with_bias_and_factors() -> None:
    from liax.model.frozen import FrozenModulatedConv2d

    torch.manual_seed(0)
    layer = ConvLayer(128, 128, 3).conv
    layer.bias.normal_()
    x, z = torch.randn(2, 128, 32, 32), torch.randn(2, 16)
    frozen = FrozenConv2d.of(layer, torch.float32)
    assert frozen.by_tiles(x)
    assert drawn.distance(frozen(x), layer(x)) < 1e-5
    modulated = ModulatedConv2d(128, 128, 16)
    modulated.bias.normal_()
    for batch in (1, 2):
        found = FrozenModulatedConv2d(modulated, torch.float32)(x[:batch], z[:batch])
        assert drawn.distance(found, modulated(x[:batch], z[:batch])) < 1e-5
