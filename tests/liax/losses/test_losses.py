"""The terms of the objective, on inputs whose answers are known."""

import math

import pytest
import torch
from torch import nn

from liax.losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from liax.losses.reconstruction import l1
from liax.losses.sparsity import mean_magnitude
from liax.losses.total import GeneratorTerms, LossConfig


def test_l1_is_the_mean_difference() -> None:
    a, b = torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), -0.25)
    assert l1(a, b).item() == pytest.approx(0.25)


def test_l1_pulls_values_outside_the_range_back() -> None:
    result = torch.full((1, 3, 2, 2), 3.0, requires_grad=True)
    l1(result, torch.ones(1, 3, 2, 2)).backward()
    assert result.grad is not None
    assert (result.grad > 0).all()


def test_sparsity_ignores_sign_and_size_of_the_dictionary() -> None:
    assert mean_magnitude(torch.tensor([[1.0, -3.0]])).item() == 2
    assert mean_magnitude(torch.tensor([[1.0, -3.0] * 10])).item() == 2


def test_adversarial_losses_at_indifference_and_certainty() -> None:
    zero, sure = torch.zeros(4, 1), torch.full((4, 1), 50.0)
    assert generator_loss(zero).item() == pytest.approx(math.log(2))
    assert discriminator_loss(zero, zero).item() == pytest.approx(2 * math.log(2))
    assert discriminator_loss(sure, -sure).item() == pytest.approx(0, abs=1e-6)
    assert generator_loss(-sure).item() == pytest.approx(50)


def test_r1_of_a_linear_discriminator_is_its_squared_weight_and_trains_it() -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(12, 1))
    penalty = r1_penalty(linear, torch.randn(5, 3, 2, 2))
    weight = linear[1].weight
    assert penalty.item() == pytest.approx(weight.square().sum().item(), rel=1e-5)
    penalty.backward()
    assert weight.grad is not None
    assert torch.allclose(weight.grad, 2 * weight, rtol=1e-5)


def test_total_weighs_each_term_that_is_there() -> None:
    config = LossConfig(sparsity_weight=0.5, sparsity_warmup_steps=0, adversarial_weight=3, perceptual_weight=10)
    one = torch.tensor(1.0)
    assert GeneratorTerms(l1=one, sparsity=one).total(config, 0).item() == 1.5
    assert GeneratorTerms(l1=one, sparsity=one, adversarial=one).total(config, 0).item() == 4.5
    full = GeneratorTerms(l1=one, perceptual=one, adversarial=one, sparsity=one)
    assert full.total(config, 0).item() == 14.5
    assert list(full.named()) == list(config.weights(0)) == ["l1", "perceptual", "adversarial", "sparsity"]


def test_every_term_is_differentiated_by_its_weight() -> None:
    config = LossConfig(sparsity_weight=0.5, sparsity_warmup_steps=0, adversarial_weight=3, perceptual_weight=10)
    terms = {name: torch.ones((), requires_grad=True) for name in config.weights(0)}
    GeneratorTerms(**terms).total(config, 0).backward()
    assert {name: term.grad.item() for name, term in terms.items() if term.grad is not None} == config.weights(0)


def test_the_sparsity_weight_grows_in_a_straight_line_and_stays() -> None:
    config = LossConfig(sparsity_weight=0.4, sparsity_warmup_steps=4)
    grown = [config.weights(step)["sparsity"] for step in (0, 1, 2, 3, 4, 5, 1000)]
    assert grown == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    assert LossConfig(sparsity_weight=0.4, sparsity_warmup_steps=0).weights(0)["sparsity"] == 0.4
