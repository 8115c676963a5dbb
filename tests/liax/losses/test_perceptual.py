"""The perceptual term: its gradients, its scales, its precision, and where its network comes from."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from liax import weights
from liax.errors import UserError
from liax.losses import perceptual, vgg
from liax.losses.perceptual import PerceptualLoss, make_perceptual, require_available
from liax.losses.total import LossConfig

DEVIATIONS = torch.tensor([0.229, 0.224, 0.225])
CPU = torch.device("cpu")


class Itself(nn.Module):
    """A network whose only feature is the picture."""

    def forward(self, x_BCHW: Tensor) -> list[Tensor]:
        return [x_BCHW]


@pytest.fixture(scope="module")
def term() -> PerceptualLoss:
    return PerceptualLoss(vgg.drawn())


def pictures(size_px: int, count: int = 2) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(size_px)
    result, driving = torch.rand(2, count, 3, size_px, size_px, generator=source) * 2 - 1
    return result, driving


def test_like_pictures_do_not_differ(term: PerceptualLoss) -> None:
    result, _ = pictures(64)
    assert term(result, result).item() == 0


def test_pictures_are_normalised_as_imagenets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual, "SCALES", 1)
    colours = torch.tensor([0.485, 0.456, 0.406])[:, None, None].expand(1, 3, 4, 4)
    assert PerceptualLoss(Itself())._pyramid(colours * 2 - 1)[0].abs().max().item() < 1e-6
    # A difference of 0.4 in [-1, 1] is 0.2 in [0, 1].
    value = PerceptualLoss(Itself())(torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), 0.1))
    assert value.item() == pytest.approx((0.2 / DEVIATIONS).mean().item(), rel=1e-5)


def test_it_is_the_sum_over_layers_and_scales(term: PerceptualLoss) -> None:
    result, driving = pictures(64, count=1)
    scales = list(zip(term._pyramid(result), term._pyramid(driving), strict=True))
    assert [one.shape[-1] for one, _ in scales] == [64, 32, 16, 8]
    differences = [
        (a - b).abs().mean().item()
        for one, other in scales
        for a, b in zip(term.network(one), term.network(other), strict=True)
    ]
    assert len(differences) == 19  # of 20, as relu5_1 has no pixel left of 8
    assert term(result, driving).item() == pytest.approx(sum(differences), rel=1e-5)


def test_what_a_smaller_picture_cannot_show_is_not_folded_into_it(term: PerceptualLoss) -> None:
    """Stripes of one pixel become their mean; a subsampled picture would be all black or all white."""
    stripes = torch.ones(1, 3, 32, 32)
    stripes[..., ::2] = -1
    grey = term._pyramid(torch.zeros(1, 3, 32, 32))
    for found, expected in zip(term._pyramid(stripes)[1:], grey[1:], strict=True):
        inside = (..., slice(2, -2), slice(2, -2)) if found.shape[-1] > 4 else (..., slice(1, -1), slice(1, -1))
        torch.testing.assert_close(found[inside], expected[inside], atol=0.05, rtol=0)


def test_a_value_outside_the_range_is_pulled_back(term: PerceptualLoss) -> None:
    result = torch.full((1, 3, 32, 32), 3.0, requires_grad=True)
    term(result, torch.ones(1, 3, 32, 32)).backward()
    assert result.grad is not None
    inside = result.grad[..., 8:24, 8:24]
    assert (inside != 0).all()
    assert term((result - 0.1 * result.grad / result.grad.abs().max()).detach(), torch.ones(1, 3, 32, 32)) < term(
        result.detach(), torch.ones(1, 3, 32, 32)
    )


def test_only_the_result_is_differentiated(term: PerceptualLoss) -> None:
    result, driving = (picture.requires_grad_() for picture in pictures(32))
    term.train()  # nothing in it depends on that, and nobody may turn gradients on by it
    term(result, driving).backward()
    assert result.grad is not None
    assert result.grad.isfinite().all()
    assert driving.grad is None
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in term.parameters())


def test_the_gradient_is_the_slope() -> None:
    """In float64, along a drawn direction: differences of nearby values against the gradient."""
    term = PerceptualLoss(vgg.drawn()).double()
    result, driving = (picture.double() for picture in pictures(16, count=1))
    direction, step = torch.randn(result.shape, generator=torch.Generator().manual_seed(0)).double(), 1e-7
    result.requires_grad_()
    (gradient,) = torch.autograd.grad(term(result, driving), result)
    with torch.no_grad():
        slope = (term(result + step * direction, driving) - term(result - step * direction, driving)) / (2 * step)
    assert (gradient * direction).sum().item() == pytest.approx(slope.item(), rel=2e-3)  # |x| has kinks


@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
def test_under_autocast_it_is_nearly_the_same_and_a_float32_scalar(term: PerceptualLoss, given: torch.dtype) -> None:
    result, driving = (picture.to(given) for picture in pictures(32))
    expected = term(result.float(), driving.float())
    seen: list[torch.dtype] = []
    hook = term.network.features[0].register_forward_hook(lambda *call: seen.append(call[2].dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = term(result, driving)
    hook.remove()
    assert set(seen) == {torch.bfloat16}
    assert (value.dtype, value.shape) == (torch.float32, ())
    assert value.item() == pytest.approx(expected.item(), rel=0.02)


def test_the_order_of_memory_does_not_matter_and_is_kept(term: PerceptualLoss) -> None:
    result, driving = pictures(16)
    expected = term(result, driving)
    last = [picture.to(memory_format=torch.channels_last) for picture in (result, driving)]
    assert term(*last).item() == pytest.approx(expected.item(), rel=1e-4)
    for picture in term._pyramid(last[0]):
        for feature in term.network(picture):
            assert feature.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size_px", [1, 2, 9, 16])
def test_tiny_pictures(term: PerceptualLoss, size_px: int) -> None:
    result, driving = pictures(size_px)
    assert term(result, driving).item() > 0


def test_the_configuration_decides() -> None:
    assert make_perceptual(LossConfig(perceptual="none"), CPU) is None
    one, other = (make_perceptual(LossConfig(perceptual="random"), CPU) for _ in range(2))
    assert one is not None
    assert other is not None
    result, driving = pictures(16)
    assert torch.equal(one(result, driving), other(result, driving))


def test_without_weights_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIAX_VGG19", raising=False)
    monkeypatch.setenv("LIAX_CACHE", str(tmp_path))
    monkeypatch.setattr(weights, "VGG19", replace(weights.VGG19, url="http://127.0.0.1:9/vgg19.pth"))
    require_available("none")
    require_available("random")
    with pytest.raises(
        UserError, match=r"LIAX_VGG19.*loss\.perceptual_weights.*loss\.perceptual=none .*random"
    ) as seen:
        require_available("vgg")
    assert "\n" not in str(seen.value)
    with pytest.raises(UserError, match=r"no such file: .*mine\.pth.*loss\.perceptual=none"):
        require_available("vgg", str(tmp_path / "mine.pth"))
