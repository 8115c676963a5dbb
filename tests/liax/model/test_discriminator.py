"""The discriminator: shapes, groups and derivatives."""

import pytest
import torch

from liax.model.config import DiscriminatorConfig
from liax.model.discriminator import Discriminator, with_deviation

CONFIG = DiscriminatorConfig(size_px=64, width=1 / 8)


@pytest.mark.parametrize("batch", [1, 3, 4, 6, 8])
def test_one_logit_a_picture(batch: int) -> None:
    assert Discriminator(CONFIG)(torch.randn(batch, 3, 64, 64)).shape == (batch, 1)


def test_the_full_size_is_stylegan2s() -> None:
    with torch.device("meta"):
        model = Discriminator(DiscriminatorConfig())
    assert sum(parameter.numel() for parameter in model.parameters()) == 28_982_849


def test_deviation_compares_the_members_of_a_group() -> None:
    x = torch.zeros(8, 2, 3, 3)
    x[4:] = torch.tensor([1.0, 3.0])[:, None, None]
    x[1::2] = 0
    deviation = with_deviation(x)[:, 2]
    torch.testing.assert_close(deviation[::2], torch.ones(4, 3, 3), atol=1e-3, rtol=0)  # mean of 0.5 and 1.5
    assert float(deviation[1::2].max()) < 1e-3


def test_r1_has_a_gradient() -> None:
    model = Discriminator(CONFIG)
    real = torch.randn(4, 3, 64, 64, requires_grad=True)
    (slope,) = torch.autograd.grad(model(real).sum(), real, create_graph=True)
    slope.square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    # The last bias shifts every logit alike, so no slope depends on it.
    assert [name for name, gradient in gradients.items() if gradient is None] == ["logit.bias"]
    assert all(gradient.isfinite().all() for gradient in gradients.values() if gradient is not None)


def test_equal_pictures_have_finite_gradients() -> None:
    model = Discriminator(CONFIG)
    model(torch.zeros(4, 3, 64, 64)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
