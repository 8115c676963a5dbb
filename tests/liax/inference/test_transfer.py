"""From coefficients to pictures: the formulas, against the network's own calls."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from liax.errors import UserError
from liax.inference.motion_source import measured
from liax.inference.renderer import Renderer
from liax.inference.transfer import Mode, check_mode, moved, shifted
from liax.model.config import preset
from liax.model.network import LiaX
from liax.pictures import Picture, from_model, to_model
from tests.liax.model import drawn


@pytest.fixture(scope="module")
def model() -> LiaX:
    """The network itself, in float32, for the expected values."""
    return drawn.fill(LiaX(preset("tiny"))).eval()


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(drawn.fill(LiaX(preset("tiny"))), "cpu", "float32")


SOURCE, OTHER, *DRIVING = from_model(drawn.pictures("transfer", 9, 64))
DELTA_M = np.linspace(-1, 1, 20).astype(np.float32)
NONE_M = np.zeros(20, np.float32)


def own(model: LiaX, picture: Picture) -> tuple[Tensor, list[Tensor], Tensor]:
    z, features = model.encode(to_model([picture]))
    return z, features, model.motion_coefficients(z)


def same(result: Picture, expected_BCHW: Tensor) -> None:
    assert np.abs(result.astype(int) - from_model(expected_BCHW)[0]).max() <= 1


@torch.inference_mode()
@pytest.mark.parametrize("delta_M", [NONE_M, DELTA_M], ids=["plain", "edited"])
@pytest.mark.parametrize("start", [0, 5])
def test_relative(model: LiaX, renderer: Renderer, delta_M: np.ndarray, start: int) -> None:
    z, features, a_source = own(model, SOURCE)
    a_start = own(model, DRIVING[start])[2]
    starts = [a_start] if start else None
    results = list(moved(renderer, [SOURCE], measured(renderer, DRIVING, renderer.batch), "relative", delta_M, starts))
    assert len(results) == len(DRIVING)
    basis = model.dictionary()
    for picture, (seen, (result,)) in zip(DRIVING, results, strict=True):
        assert seen is picture
        a = own(model, picture)[2]
        moved_z = z + (a - a_start) @ basis.T + (a_source + torch.from_numpy(delta_M)) @ basis.T
        same(result, model.decode(moved_z, features))
    assert np.abs(results[1][1][0].astype(int) - results[0][1][0]).max() > 3  # else the comparison shows nothing


@torch.inference_mode()
def test_absolute(model: LiaX, renderer: Renderer) -> None:
    z, features, _ = own(model, SOURCE)
    for picture, (_, (result,)) in zip(
        DRIVING,
        moved(renderer, [SOURCE], measured(renderer, DRIVING, renderer.batch), "absolute", DELTA_M),
        strict=True,
    ):
        a = own(model, picture)[2] + torch.from_numpy(DELTA_M)
        same(result, model.decode(z + a @ model.dictionary().T, features))


@torch.inference_mode()
def test_edit(model: LiaX, renderer: Renderer) -> None:
    z, features, a = own(model, SOURCE)
    deltas = [share * DELTA_M for share in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    for delta_M, result in zip(deltas, shifted(renderer, SOURCE, deltas), strict=True):
        same(result, model.decode(z + (a + torch.from_numpy(delta_M)) @ model.dictionary().T, features))


@pytest.mark.parametrize("mode", ["relative", "absolute"])
def test_faces_of_one_source_do_not_mix(renderer: Renderer, mode: Mode) -> None:
    together = list(moved(renderer, [SOURCE, OTHER], measured(renderer, DRIVING, renderer.batch), mode, DELTA_M))
    for face, picture in enumerate((SOURCE, OTHER)):
        alone = moved(renderer, [picture], measured(renderer, DRIVING, renderer.batch), mode, DELTA_M)
        for (_, results), (_, (result,)) in zip(together, alone, strict=True):
            np.testing.assert_array_equal(results[face], result)


def test_frames_are_made_as_they_are_asked_for(renderer: Renderer) -> None:
    taken = 0

    def counted() -> Iterator[Picture]:
        nonlocal taken
        for picture in DRIVING * 5:
            taken += 1
            yield picture

    results = moved(renderer, [SOURCE], measured(renderer, counted(), renderer.batch), "relative", NONE_M)
    for made in range(1, 20):
        next(results)
        assert taken <= made + renderer.batch


@pytest.mark.parametrize(("choice", "text"), [
    (("other",), "use relative or absolute"),
    (("relative", -1), "start frame -1"),
    (("relative", 1.5), "start frame 1.5"),
    (("relative", 99999999999999999999), "no video is that long"),
    (("absolute", 3), "leave one of the two out"),
    (("absolute", "auto"), "leave one of the two out"),
    (("relative", "auto", False), "leave out --no-crop"),
])  # fmt: skip
def test_choices_that_cannot_be_followed_are_refused(choice: tuple, text: str) -> None:
    with pytest.raises(UserError, match=text):
        check_mode(*choice)
