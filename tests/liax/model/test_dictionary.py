"""The orthonormal basis: what it is, and when it is computed anew."""

import pytest
import torch

from liax.model.dictionary import MotionDictionary


@pytest.fixture
def dictionary() -> MotionDictionary:
    torch.manual_seed(0)
    return MotionDictionary(32, 8).eval()


def test_columns_are_orthonormal_and_span_the_weight(dictionary: MotionDictionary) -> None:
    basis = dictionary()
    torch.testing.assert_close(basis.T @ basis, torch.eye(8))
    torch.testing.assert_close(basis @ (basis.T @ dictionary.weight), dictionary.weight, atol=1e-5, rtol=0)


def test_signs_are_lapacks(dictionary: MotionDictionary) -> None:
    basis, _ = torch.linalg.qr(dictionary.weight + 1e-8)
    torch.testing.assert_close(dictionary(), basis)


@torch.no_grad()
def test_without_gradients_it_is_computed_once_until_the_weight_changes(dictionary: MotionDictionary) -> None:
    first = dictionary()
    assert dictionary() is first
    dictionary.weight.lerp_(torch.randn(32, 8), 0.5)
    changed = dictionary()
    assert not torch.equal(changed, first)
    dictionary.load_state_dict({"weight": torch.randn(32, 8)})
    loaded = dictionary()
    assert not torch.equal(loaded, changed)
    dictionary.weight.data.zero_().fill_diagonal_(1)
    assert not torch.equal(dictionary.eval()(), loaded)


def test_gradients_reach_the_weight_in_either_mode(dictionary: MotionDictionary) -> None:
    with torch.no_grad():
        dictionary()
    for mode in (False, True):
        dictionary.train(mode).zero_grad()
        (dictionary() * torch.randn(32, 8)).sum().backward()
        assert dictionary.weight.grad is not None
        assert float(dictionary.weight.grad.abs().max()) > 0


def test_training_never_uses_a_frozen_basis(dictionary: MotionDictionary) -> None:
    dictionary.train()
    with torch.no_grad():
        first = dictionary()
        dictionary.weight.data.copy_(torch.randn(32, 8))
        assert not torch.equal(dictionary(), first)
