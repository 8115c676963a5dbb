"""The orthonormal basis."""

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


def test_gradients_reach_the_weight_in_either_mode(dictionary: MotionDictionary) -> None:
    for mode in (False, True):
        dictionary.train(mode).zero_grad()
        (dictionary() * torch.randn(32, 8)).sum().backward()
        assert dictionary.weight.grad is not None
        assert float(dictionary.weight.grad.abs().max()) > 0
