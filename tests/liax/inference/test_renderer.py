"""The renderer agrees with the network whatever goes through together."""

import copy

import numpy as np
import pytest
import torch

from liax.errors import UserError
from liax.inference.renderer import Renderer
from liax.model.config import preset
from liax.model.network import LiaX
from liax.pictures import Picture, to_model
from tests.liax.model import drawn


@pytest.fixture(scope="module")
def model() -> LiaX:
    return drawn.fill(LiaX(preset("tiny"))).eval()


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    return list(np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8))


def expected(model: LiaX, pictures: list[Picture]) -> np.ndarray:
    """Source 0 with the motion of the others, as the network itself computes it, in grey levels."""
    with torch.inference_mode():
        z, features = model.encode(to_model(pictures[:1]))
        a = model.motion_coefficients(model.code(to_model(pictures[1:])))
        result = model.decode(model.navigate(z, a), features)
    return ((result.permute(0, 2, 3, 1).numpy() + 1) * 127.5).clip(0, 255)


def rendered(renderer: Renderer, pictures: list[Picture]) -> np.ndarray:
    source = renderer.encode(pictures[:1])
    a_BM = renderer.motion(pictures[1:])
    return np.stack(renderer.decode(renderer.navigate(source.z_BD, a_BM), source.features)).astype(float)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_results_do_not_depend_on_what_goes_through_together(model: LiaX, pictures: list[Picture], batch: int) -> None:
    renderer = Renderer(copy.deepcopy(model), "cpu", "float32")
    renderer.batch = batch
    assert np.abs(rendered(renderer, pictures) - expected(model, pictures)).max() <= 0.51


def test_sources_can_go_through_together(model: LiaX, pictures: list[Picture]) -> None:
    renderer = Renderer(copy.deepcopy(model), "cpu", "float32")
    renderer.batch = 2
    together = renderer.encode(pictures)
    assert torch.allclose(together.motion_BM, renderer.motion(pictures), atol=1e-5)
    results = renderer.decode(together.z_BD, together.features)
    alone = [renderer.encode([picture]) for picture in pictures]
    for result, single in zip(results, alone, strict=True):
        assert np.abs(result.astype(int) - renderer.decode(single.z_BD, single.features)[0].astype(int)).max() <= 1


def test_compiled_network_is_one_graph_with_the_same_results(model: LiaX, pictures: list[Picture]) -> None:
    """With a backend that needs no C compiler: what is tested is that PyTorch can trace all of it."""
    renderer = Renderer(copy.deepcopy(model), "cpu", "float32")
    plain = rendered(renderer, pictures)
    for name in ("_motion", "_decode"):
        setattr(renderer, name, torch.compile(getattr(renderer, name), backend="eager", fullgraph=True))
    np.testing.assert_allclose(rendered(renderer, pictures), plain, atol=1)


def test_compiling_is_refused_where_it_cannot_pay(model: LiaX) -> None:
    with pytest.raises(UserError, match="leave out --compile"):
        Renderer(copy.deepcopy(model), "cpu", "float32", compiled=True)


@pytest.mark.parametrize(("preset_name", "size_px", "batch"), [("tiny", 64, 8), ("base", 256, 1), ("large", 512, 1)])
def test_small_maps_go_through_a_cpu_together(preset_name: str, size_px: int, batch: int) -> None:
    from liax.inference.renderer import _cpu_batch

    assert _cpu_batch(preset(preset_name, size_px)) == batch


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("device", ["cuda:0", f"cuda:{max(torch.cuda.device_count(), 1) - 1}"])
def test_gpu_agrees_with_the_cpu(model: LiaX, pictures: list[Picture], device: str, compiled: bool) -> None:
    on_gpu = Renderer(copy.deepcopy(model), device, "float32", compiled=compiled)
    for order in ([0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [2, 4, 3]):  # from a recording, from it again, and without one
        chosen = [pictures[i] for i in order]
        assert np.abs(rendered(on_gpu, chosen) - expected(model, chosen)).max() < 1
    on_cpu = Renderer(copy.deepcopy(model), "cpu", "float32")
    several, reference = on_gpu.encode(pictures[:4]), on_cpu.encode(pictures[:4])
    found = np.stack(on_gpu.decode(several.z_BD, several.features)).astype(int)
    assert np.abs(found - np.stack(on_cpu.decode(reference.z_BD, reference.features))).max() <= 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_low_precision_on_a_gpu(model: LiaX, pictures: list[Picture]) -> None:
    low = Renderer(copy.deepcopy(model), "cuda", "bfloat16")
    exact = expected(model, pictures) / 127.5 - 1
    found = rendered(low, pictures) / 127.5 - 1
    assert np.linalg.norm(found - exact) / np.linalg.norm(exact) < 0.02
