"""Measures of sparsity on codes whose answer is known."""

import math

import pytest
import torch

from liax.evaluation.codes import code_statistics, energy, gini, hoyer, l0

M = 40


def test_one_direction_at_a_time_is_as_sparse_as_can_be() -> None:
    one = torch.eye(M) * 3
    assert torch.allclose(hoyer(one), torch.ones(M))
    assert torch.allclose(gini(one), torch.full((M,), 1 - 1 / M))
    assert l0(one, 0.01).tolist() == [1] * M


def test_equal_directions_are_not_sparse() -> None:
    same = torch.full((2, M), 0.7)
    assert torch.allclose(hoyer(same), torch.zeros(2), atol=1e-6)
    assert torch.allclose(gini(same), torch.zeros(2), atol=1e-6)
    assert l0(same, 0.10).tolist() == [M, M]


def test_a_code_of_zeros_is_not_sparse_and_no_error() -> None:
    zeros = torch.zeros(3, M)
    assert hoyer(zeros).tolist() == gini(zeros).tolist() == l0(zeros, 0.01).tolist() == [0, 0, 0]
    assert all(math.isfinite(value) for value in code_statistics(zeros).values())


def test_scale_does_not_matter() -> None:
    codes = torch.rand(5, M)
    for measure in (hoyer, gini):
        assert torch.allclose(measure(codes), measure(codes * 17))


def test_thresholds_are_shares_of_the_codes_own_largest() -> None:
    code = torch.tensor([[1.0, 0.5, 0.099, 0.011, 0.009]])
    assert l0(code, 0.10).item() == 2
    assert l0(code, 0.01).item() == 4


def test_energy_is_held_by_the_largest() -> None:
    codes = torch.tensor(
        [[3.0, -1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [0.0, 2.0, 0.0, 0.0]]
    ).abs()
    assert energy(codes, 0.90).tolist() == [1, 4, 0, 1]  # 9 of 10 is 90 % exactly
    assert energy(codes, 0.91).tolist() == [2, 4, 0, 1]
    assert energy(codes, 0.50).tolist() == [1, 2, 0, 1]


def test_gaussian_codes_have_their_known_values() -> None:
    codes = torch.randn(20_000, M, generator=torch.Generator().manual_seed(1))
    # E|x|/√E x² = √(2/π) for large M, and a half-normal distribution's Gini coefficient is √2 − 1.
    expected = (math.sqrt(M) - math.sqrt(M) * math.sqrt(2 / math.pi)) / (math.sqrt(M) - 1)
    numbers = code_statistics(codes)
    assert numbers["codes/hoyer"] == pytest.approx(expected, abs=0.01)
    assert numbers["codes/gini"] == pytest.approx(math.sqrt(2) - 1, abs=0.01)
    assert numbers["codes/hoyer_gaussian"] == pytest.approx(numbers["codes/hoyer"], abs=0.005)


def test_normalising_tells_few_directions_from_small_ones() -> None:
    """Directions of very different size look sparse, raw; each alike to itself, they are not."""
    size = torch.logspace(0, -3, M)
    numbers = code_statistics(torch.randn(5000, M, generator=torch.Generator().manual_seed(2)) * size)
    assert numbers["codes/hoyer"] > 0.5
    assert numbers["codes/hoyer_normalised"] < 0.3
    assert numbers["codes/hoyer_gaussian"] == pytest.approx(numbers["codes/hoyer"], abs=0.02)


def test_a_direction_that_only_rounding_moves_is_still() -> None:
    """Divided by so small a deviation it would drown all others."""
    random = torch.Generator().manual_seed(4)
    codes = torch.randn(100, M, generator=random, dtype=torch.float64)
    codes[:, 5:] = 0.25 + 1e-8 * torch.randn(100, M - 5, generator=random, dtype=torch.float64)
    numbers = code_statistics(codes)
    assert numbers["codes/l0_1_normalised"] <= 5
    assert numbers["codes/hoyer_normalised"] == pytest.approx(numbers["codes/hoyer_gaussian_normalised"], abs=0.02)


def test_the_same_codes_give_the_same_numbers() -> None:
    codes = torch.randn(20, M, generator=torch.Generator().manual_seed(5))
    torch.manual_seed(0)
    first = code_statistics(codes)
    torch.manual_seed(1)
    assert code_statistics(codes) == first
    forms = ("", "_normalised", "_gaussian", "_gaussian_normalised")
    measures = ("hoyer", "gini", "l0_1", "l0_10", "energy_90")
    assert set(first) == {f"codes/{measure}{form}" for measure in measures for form in forms} | {
        "codes/mean_magnitude",
        "codes/dead",
    }


def test_one_picture_is_enough() -> None:
    numbers = code_statistics(torch.tensor([[3.0, 0.0, 0.0, 0.0]]))
    assert numbers["codes/hoyer"] == pytest.approx(1)
    assert numbers["codes/hoyer_normalised"] == 0  # nothing moves
    assert all(math.isfinite(value) for value in numbers.values())


def test_dead_directions_are_counted_and_stay_dead_when_normalised() -> None:
    codes = torch.randn(100, M, generator=torch.Generator().manual_seed(3))
    codes[:, 5:] = 0.25  # never moves
    numbers = code_statistics(codes)
    assert numbers["codes/dead"] == M - 5
    assert numbers["codes/mean_magnitude"] == pytest.approx(codes.abs().mean().item())
