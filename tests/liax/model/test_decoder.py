"""Warping, and the decoder's two branches."""

import math

import pytest
import torch
from torch import nn

from liax.model.config import ModelConfig
from liax.model.decoder import Decoder, FlowBlock, Level, RenderBlock, ToRGB, identity_grid
from liax.model.layers import ConvLayer

CONFIG = ModelConfig(size_px=64, width=1 / 8, blocks=1)


@pytest.fixture
def level() -> Level:
    torch.manual_seed(0)
    return Level(8, 64, 64, CONFIG, first=True)


def test_the_grid_names_x_first() -> None:
    grid = identity_grid(5)
    assert grid.shape == (1, 5, 5, 2)
    assert grid[0, 0, 4].tolist() == [1, -1]


def test_without_flow_the_feature_stays(level: Level) -> None:
    feature = torch.randn(2, 64, 8, 8)
    torch.testing.assert_close(level.warp(feature, torch.zeros(2, 3, 8, 8)), feature, atol=1e-5, rtol=0)


def test_flow_moves_by_tanh_of_half_the_picture_and_brings_zeros_in(level: Level) -> None:
    feature = torch.randn(1, 64, 8, 8)
    flow = torch.zeros(1, 3, 8, 8)
    flow[:, 0] = math.atanh(2 * 3 / 7)  # three pixels of the seven between the outer centres
    warped = level.warp(feature, flow)
    torch.testing.assert_close(warped[..., :5], feature[..., 3:], atol=1e-4, rtol=0)
    assert float(warped[..., 5:].abs().max()) < 1e-4


def test_a_single_source_serves_a_batch(level: Level) -> None:
    feature, flow = torch.randn(1, 64, 8, 8), torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(level.warp(feature, flow), level.warp(feature.repeat(3, 1, 1, 1), flow))


def test_a_closed_mask_leaves_the_flow_branch_alone(level: Level) -> None:
    with torch.no_grad():
        level.to_flow.weight.zero_()
        level.to_flow.bias.copy_(torch.tensor([0.0, 0.0, -100.0]))
    z = torch.randn(2, CONFIG.style_dim)
    below = torch.randn(2, 64, 4, 4)
    h = level.flow_blocks[0](level.up(below, z), z)
    climb = level(below, None, z, torch.randn(2, 64, 8, 8))
    torch.testing.assert_close(climb.h_BCHW, h)
    assert climb.flow_B3HW.shape == climb.rgb_B3HW.shape == (2, 3, 8, 8)


def test_an_open_mask_hands_the_feature_to_both_branches(level: Level) -> None:
    with torch.no_grad():
        level.to_flow.weight.zero_()
        level.to_flow.bias.copy_(torch.tensor([0.0, 0.0, 100.0]))
    feature = torch.randn(2, 64, 8, 8)
    climb = level(torch.randn(2, 64, 4, 4), None, torch.randn(2, CONFIG.style_dim), feature)
    torch.testing.assert_close(climb.h_BCHW, feature, atol=1e-5, rtol=0)
    torch.testing.assert_close(climb.render_BCHW, level.render_blocks(feature), atol=1e-4, rtol=1e-4)


def test_blocks_are_residual() -> None:
    z, x = torch.randn(2, 16), torch.randn(2, 24, 8, 8)
    flow = FlowBlock(24, 16)
    h = flow.conv1(x, z)
    torch.testing.assert_close(flow(x, z), h, atol=1e-3, rtol=0)
    nn.init.ones_(flow.gamma)
    torch.testing.assert_close(flow(x, z), h + flow.conv2(nn.functional.group_norm(h, 24), z), atol=1e-5, rtol=1e-5)
    render = RenderBlock(24)
    second = ConvLayer(24, 24, 3)
    second.load_state_dict(render.conv2.state_dict())
    torch.testing.assert_close(render(x), (second(render.conv1(x)) + x) / math.sqrt(2))


def test_rgb_has_a_bias_after_its_activation() -> None:
    layer = ToRGB(24)
    x = torch.randn(1, 24, 4, 4)
    before = layer(x)
    nn.init.constant_(layer.bias, -3)
    torch.testing.assert_close(layer(x), before - 3)


def test_a_missing_feature_is_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Decoder(CONFIG)(torch.randn(1, CONFIG.style_dim), [torch.randn(1, 64, 8, 8)])
