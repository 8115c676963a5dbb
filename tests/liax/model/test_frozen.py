"""The inference form of the network computes what the trained form does, at every precision."""

import copy
from collections.abc import Callable, Sequence

import cv2
import pytest
import torch
from torch import Tensor, nn

from liax.model.config import ModelConfig, preset
from liax.model.decoder import FlowBlock, RenderBlock
from liax.model.frozen import FrozenGroupNorm, freeze
from liax.model.layers import ConvLayer, DownBlock
from liax.model.modulated import StyledConv
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


# Measured: up to 0.0201 in bfloat16 (8 bits of mantissa) on a CPU with AMX; others sum in another order.
BOUNDS = [(torch.bfloat16, 0.03), (torch.float16, 0.004)]


@pytest.mark.parametrize(("dtype", "bound"), BOUNDS)
@pytest.mark.parametrize("batches", [(1, 1, 1, 1), (4,)])
def test_low_precision_stays_near(
    trained: LiaX, pictures: Tensor, dtype: torch.dtype, bound: float, batches: Sequence[int]
) -> None:
    low = animated(freeze(copy.deepcopy(trained), dtype), pictures, batches)
    exact = animated(trained, pictures, [4])
    assert low.dtype == torch.float32
    assert 1e-5 < drawn.distance(low, exact) < bound


@pytest.mark.parametrize(("dtype", "bound"), BOUNDS)
def test_low_precision_stays_near_at_the_base_width(pictures: Tensor, dtype: torch.dtype, bound: float) -> None:
    """With few channels rounding errors do not average out, and random flows multiply them."""
    base = drawn.fill(LiaX(preset("base", 128))).eval()
    enlarged = nn.functional.interpolate(pictures[:2], scale_factor=2.0, mode="bicubic").clamp(-1, 1)
    exact = animated(base, enlarged, [1])
    assert 1e-5 < drawn.distance(animated(freeze(base, dtype), enlarged, [1]), exact) < bound


def test_autocast_stays_near_too(trained: LiaX, pictures: Tensor) -> None:
    """Training at bfloat16 goes by autocast; what must not be rounded is protected from it."""
    with torch.autocast("cpu", torch.bfloat16):
        low = animated(trained, pictures, [4])
    assert 1e-5 < drawn.distance(low, animated(trained, pictures, [4])) < 0.02


def test_what_decides_positions_stays_float32() -> None:
    frozen = freeze(LiaX(CONFIG), torch.bfloat16)
    assert frozen.dictionary().dtype == torch.float32
    assert frozen.encoder.to_code.weight.dtype == torch.float32
    assert {level.to_flow.weight.dtype for level in frozen.decoder.levels} == {torch.float32}
    assert frozen.decoder.levels[0].render_blocks[0].conv1.conv.weight.dtype == torch.bfloat16


def test_basis_is_computed_once() -> None:
    model = LiaX(CONFIG)
    expected = model.dictionary().detach()
    frozen = freeze(model)
    assert torch.equal(frozen.dictionary(), expected)
    assert frozen.dictionary() is frozen.dictionary()


@torch.no_grad()
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_norm_is_group_norm(memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    norm = nn.GroupNorm(4, 12)
    for parameter in norm.parameters():
        parameter.normal_()
    x = (torch.randn(2, 12, 5, 7) * 3 + 1).contiguous(memory_format=memory_format)
    torch.testing.assert_close(FrozenGroupNorm(norm)(x), norm(x), atol=1e-5, rtol=1e-5)
    constant = torch.full((1, 12, 4, 4), 2.5)
    torch.testing.assert_close(FrozenGroupNorm(norm)(constant), norm(constant), atol=1e-2, rtol=0)


@torch.inference_mode()
def test_maps_keep_their_channels_last(trained: LiaX, pictures: Tensor) -> None:
    """One map in another order makes every sum with it many times slower."""
    frozen = freeze(copy.deepcopy(trained))
    orders: dict[str, bool] = {}

    def note(name: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: orders.update(
            {name: output.is_contiguous(memory_format=torch.channels_last)}
        )

    for name, module in frozen.named_modules():
        if isinstance(module, StyledConv | FlowBlock | RenderBlock | DownBlock | ConvLayer):
            module.register_forward_hook(note(name))
    z_BD, features = frozen.encode(pictures[:1].contiguous(memory_format=torch.channels_last))
    frozen.decode(z_BD, features)
    assert len(orders) > 50
    assert [name for name, last in orders.items() if not last] == []


def test_frozen_network_has_no_gradients_and_no_training_layers() -> None:
    frozen = freeze(LiaX(CONFIG))
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert not any("Equal" in type(module).__name__ for module in frozen.modules())
    assert {"ModulatedConv2d", "GroupNorm", "MotionDictionary"}.isdisjoint(type(m).__name__ for m in frozen.modules())
