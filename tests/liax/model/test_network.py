"""The public calls of the network, and its size."""

import pytest
import torch
from torch import Tensor

from liax.model.config import PRESETS, ModelConfig, preset
from liax.model.network import LiaX
from liax.model.summary import count_parameters, describe
from tests.liax.model import drawn

CONFIG = ModelConfig(size_px=64, width=1 / 8, blocks=2, directions=20)


@pytest.fixture(scope="module")
def model() -> LiaX:
    model = LiaX(CONFIG)
    drawn.fill(model)
    return model.eval()


@pytest.fixture(scope="module")
def source() -> Tensor:
    return drawn.pictures("source", 3, 64)


@pytest.fixture(scope="module")
def driving() -> Tensor:
    return drawn.pictures("driving", 3, 64)


@pytest.mark.parametrize(
    ("name", "count"), [("tiny", 581_400), ("base", 56_974_983), ("middle", 314_575_911), ("large", 910_571_751)]
)
def test_presets_have_the_published_size(name: str, count: int) -> None:
    counts = count_parameters(PRESETS[name])
    assert counts.total() == count
    assert f"{count / 1e6:.2f} M" in describe(PRESETS[name])


@pytest.mark.parametrize("size_px", [64, 128])
def test_a_new_network_gives_finite_pictures_of_the_size(size_px: int) -> None:
    torch.manual_seed(0)
    pictures = drawn.pictures("source", 2, size_px)
    picture, a = LiaX(preset("tiny", size_px))(pictures, pictures.flip(0))
    assert picture.shape == (2, 3, size_px, size_px)
    assert a.shape == (2, 20)
    assert picture.isfinite().all()


def test_every_weight_has_a_gradient(source: Tensor, driving: Tensor) -> None:
    model = LiaX(CONFIG).train()
    drawn.fill(model)
    picture, a = model(source, driving)
    ((picture - driving).abs().mean() + 0.01 * a.abs().mean()).backward()
    without = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all() or not parameter.grad.any()
    ]
    assert without == []


@torch.inference_mode()
def test_samples_of_a_batch_do_not_touch(model: LiaX, source: Tensor, driving: Tensor) -> None:
    together, a = model(source, driving)
    for index in range(3):
        alone, a_alone = model(source[index : index + 1], driving[index : index + 1])
        assert drawn.distance(together[index : index + 1], alone) < 1e-5
        assert drawn.distance(a[index : index + 1], a_alone) < 1e-5


@torch.inference_mode()
def test_one_source_serves_many_driving_pictures(model: LiaX, source: Tensor, driving: Tensor) -> None:
    z, features = model.encode(source[:1])
    a = model.motion_coefficients(model.code(driving))
    expected, _ = model(source[:1].repeat(3, 1, 1, 1), driving)
    assert drawn.distance(model.decode(model.navigate(z, a), features), expected) < 1e-5


@torch.inference_mode()
def test_navigation_follows_the_paper(model: LiaX) -> None:
    z = torch.randn(1, CONFIG.style_dim)
    a, start, own = torch.randn(4, 20), torch.randn(1, 20), torch.randn(1, 20)
    basis = model.dictionary()
    close = torch.testing.assert_close
    close(model.navigate(z, a), z + a @ basis.T)
    close(model.navigate(z, a, start, own), z + (a - start) @ basis.T + own @ basis.T)
    close(model.navigate(z, a, start), z + (a - start) @ basis.T)
    close(model.navigate(z, torch.zeros(1, 20)), z)
    # Moving along a direction moves the code's coordinate along it, and no other.
    close((model.navigate(z, a) - z) @ basis, a, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_the_picture_depends_on_the_motion(model: LiaX, source: Tensor, driving: Tensor) -> None:
    first, _ = model(source, driving)
    second, _ = model(source, driving.flip(0))
    assert drawn.distance(second[:1], first[:1]) > 0.01


@torch.inference_mode()
def test_autocast_keeps_what_needs_float32(model: LiaX, source: Tensor, driving: Tensor) -> None:
    full, a_full = model(source, driving)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        picture, a = model(source, driving)
        z, features = model.encode(source)
        kept = {model.dictionary().dtype, a.dtype, z.dtype, model.navigate(z, a).dtype, picture.dtype}
        assert features[0].dtype == torch.bfloat16
    assert kept == {torch.float32}
    assert drawn.distance(a, a_full) < 0.02
    assert drawn.distance(picture, full) < 0.05
