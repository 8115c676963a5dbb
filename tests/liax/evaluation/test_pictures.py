"""Measures of pictures on pairs whose answer is known."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from liax.evaluation.pictures import PSNR_MOST_DB, picture_errors
from liax.pictures import to_model
from liax.synthetic.scenes import portrait


@pytest.fixture(scope="module")
def picture() -> Tensor:
    return to_model([portrait()])[..., 160:288, 160:288]


def test_a_picture_is_like_itself(picture: Tensor) -> None:
    errors = picture_errors(picture, picture)
    assert errors["l1"].tolist() == [0]
    assert errors["psnr"].tolist() == [PSNR_MOST_DB]
    assert errors["ssim"].item() == pytest.approx(1, abs=1e-6)


def test_a_constant_offset_has_its_known_distance() -> None:
    grey = torch.zeros(2, 3, 32, 32)
    errors = picture_errors(grey + 0.2, grey)  # 0.1 in [0, 1]
    assert torch.allclose(errors["l1"], torch.tensor(0.1))
    assert torch.allclose(errors["psnr"], torch.tensor(20.0))


def test_known_noise_has_its_known_distance() -> None:
    noise = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.1
    errors = picture_errors(noise, torch.zeros_like(noise))
    assert errors["l1"].mean().item() == pytest.approx(0.05 * math.sqrt(2 / math.pi), rel=0.01)
    assert errors["psnr"].mean().item() == pytest.approx(-20 * math.log10(0.05), abs=0.05)


def test_results_are_clipped_as_in_a_file(picture: Tensor) -> None:
    white = torch.ones(1, 3, 16, 16)
    assert picture_errors(white * 5, white)["l1"].item() == 0


def test_every_picture_has_its_own_value(picture: Tensor) -> None:
    noisy = picture + torch.randn(picture.shape, generator=torch.Generator().manual_seed(0)) * 0.2
    both = picture_errors(torch.cat((noisy, picture)), torch.cat((picture, picture)))
    alone = picture_errors(noisy, picture)
    for name, values in both.items():
        assert values.shape == (2,)
        assert values[0].item() == pytest.approx(alone[name].item(), rel=1e-5)
        assert values[1] != values[0]


def test_autocast_and_half_precision_do_not_reach_the_measures(picture: Tensor) -> None:
    noisy = picture + torch.randn(picture.shape, generator=torch.Generator().manual_seed(0)) * 0.02
    expected = picture_errors(noisy, picture)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        errors = picture_errors(noisy, picture)
    for name, values in errors.items():
        assert values.dtype == torch.float32
        assert torch.equal(values, expected[name]), name


def test_ssim_is_the_published_one(picture: Tensor) -> None:
    from skimage.metrics import structural_similarity

    noisy = (picture + torch.randn(picture.shape, generator=torch.Generator().manual_seed(0)) * 0.2).clamp(-1, 1)
    one, other = (np.asarray((p[0].permute(1, 2, 0).double() + 1) / 2) for p in (noisy, picture))
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "full": True}
    inner, places_HWC = structural_similarity(one, other, data_range=1.0, channel_axis=2, **options)
    ours = picture_errors(noisy, picture)["ssim"].item()
    assert 0.1 < ours < 0.95
    # It mirrors the border at the pixels' edges and not, as here, at their centres; its own mean leaves the border out.
    assert ours == pytest.approx(places_HWC.mean(), abs=1e-3)
    assert ours == pytest.approx(inner, abs=0.03)
