"""Shapes of the encoder's outputs, and that a code needs no maps."""

import torch

from liax.model.config import ModelConfig
from liax.model.encoder import Encoder


def test_maps_fit_the_decoders_levels() -> None:
    config = ModelConfig(size_px=64, width=1 / 8, blocks=1)
    z, features = Encoder(config)(torch.randn(2, 3, 64, 64))
    assert z.shape == (2, config.style_dim)
    expected = [(2, config.channels(size), size, size) for size in config.levels]
    assert [tuple(feature.shape) for feature in features] == expected


def test_code_is_the_same_without_the_maps() -> None:
    encoder = Encoder(ModelConfig(size_px=64, width=1 / 8, blocks=1))
    picture = torch.randn(2, 3, 64, 64)
    assert torch.equal(encoder.code(picture), encoder(picture)[0])
