"""The inference form of the network computes what the trained form does, at every precision."""

import copy
from collections.abc import Sequence

import cv2
import pytest
import torch
from torch import Tensor

from liax.model.config import ModelConfig
from liax.model.frozen import freeze
from liax.model.network import LiaX
from liax.pictures import to_model
from liax.synthetic.scenes import portrait
from tests.liax.model import drawn

CONFIG = ModelConfig(size_px=64, width=1 / 8, blocks=2, directions=20)


@pytest.fixture(scope="module")
def trained() -> LiaX:
    return drawn.fill(LiaX(CONFIG)).eval()


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    """A photograph in five framings."""
    photo = portrait()
    side_px = min(photo.shape[:2])
    cuts = [photo[i * 20 : side_px - i * 20, i * 20 : side_px - i * 10] for i in range(5)]
    return to_model([cv2.resize(cut, (64, 64), interpolation=cv2.INTER_AREA) for cut in cuts])


@torch.inference_mode()
def animated(model: LiaX, pictures_BCHW: Tensor, batches: Sequence[int]) -> Tensor:
    """The first picture with the motion of the others, so many of which go through together."""
    z_BD, features = model.encode(pictures_BCHW[:1])
    results = []
    for driving_BCHW in pictures_BCHW[1:].split(list(batches)):
        a_BM = model.motion_coefficients(model.code(driving_BCHW))
        results.append(model.decode(model.navigate(z_BD, a_BM), features))
    return torch.cat(results)


@pytest.mark.parametrize("batches", [(1, 1, 1, 1), (4,), (3, 1)])
def test_frozen_network_gives_the_same_pictures(trained: LiaX, pictures: Tensor, batches: Sequence[int]) -> None:
    frozen = freeze(copy.deepcopy(trained))
    assert drawn.distance(animated(frozen, pictures, batches), animated(trained, pictures, [4])) < 1e-5


def test_maps_of_several_sources_go_with_several_codes(trained: LiaX, pictures: Tensor) -> None:
    frozen = freeze(copy.deepcopy(trained))
    with torch.inference_mode():
        z_BD, features = frozen.encode(pictures)
        together = frozen.decode(z_BD, features)
        alone = [frozen.decode(z_BD[i : i + 1], [map_[i : i + 1] for map_ in features]) for i in range(len(pictures))]
    assert drawn.distance(together, torch.cat(alone)) < 1e-5


@pytest.mark.parametrize(("dtype", "bound"), [(torch.bfloat16, 0.02), (torch.float16, 0.004)])
@pytest.mark.parametrize("batches", [(1, 1, 1, 1), (4,)])
def test_low_precision_stays_near(
    trained: LiaX, pictures: Tensor, dtype: torch.dtype, bound: float, batches: Sequence[int]
) -> None:
    low = animated(freeze(copy.deepcopy(trained), dtype), pictures, batches)
    exact = animated(trained, pictures, [4])
    assert low.dtype == torch.float32
    assert 1e-5 < drawn.distance(low, exact) < bound


def test_autocast_stays_near_too(trained: LiaX, pictures: Tensor) -> None:
    """Training at bfloat16 goes by autocast; what must not be rounded is protected from it."""
    with torch.autocast("cpu", torch.bfloat16):
        low = animated(trained, pictures, [4])
    assert 1e-5 < drawn.distance(low, animated(trained, pictures, [4])) < 0.02


def test_what_decides_positions_stays_float32() -> None:
    frozen = freeze(LiaX(CONFIG), torch.bfloat16)
    assert frozen.dictionary().dtype == torch.float32
    assert frozen.encoder.to_code.weight.dtype == torch.float32
    assert {level.to_flow.conv.weight.dtype for level in frozen.decoder.levels} == {torch.float32}
    assert frozen.decoder.levels[0].render_blocks[0].conv1.conv.weight.dtype == torch.bfloat16


def test_frozen_network_has_no_gradients_and_no_training_layers() -> None:
    frozen = freeze(LiaX(CONFIG))
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert not any("Equal" in type(module).__name__ for module in frozen.modules())
    assert not any(type(module).__name__ == "ModulatedConv2d" for module in frozen.modules())
