"""The mean over time: no lag, the noise reduced by what the formula says, and a bounded look-ahead."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from liax.errors import UserError
from liax.inference.smoothing import gaussian, smoothed

FPS = 25.0


def run(values: np.ndarray, weights: list[float]) -> np.ndarray:
    return np.array([value.item() for value in smoothed(iter(torch.from_numpy(values)), weights)])


@given(st.integers(1, 40), st.floats(0, 0.3), st.floats(-5, 5), st.floats(-5, 5))
def test_steady_motion_is_not_changed(count: int, sigma_s: float, start: float, speed: float) -> None:
    line = start + speed * np.arange(count, dtype=np.float64)
    assert np.allclose(run(line, gaussian(sigma_s, FPS)), line, atol=1e-9)


@pytest.mark.parametrize("sigma_s", [0.02, 0.04, 0.1])
def test_alternating_noise_is_reduced_by_the_formulas_factor(sigma_s: float) -> None:
    sigma = sigma_s * FPS
    reach = int(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    factor = abs((kernel * (-1.0) ** np.arange(-reach, reach + 1)).sum()) / kernel.sum()
    noise = (-1.0) ** np.arange(60)
    inside = run(noise, gaussian(sigma_s, FPS))[reach : 60 - reach]
    assert np.allclose(np.abs(inside), factor, atol=1e-9)
    assert factor < 0.8


def test_independent_noise_is_reduced_by_the_formulas_factor() -> None:
    weights = gaussian(0.04, FPS)
    factor = np.sqrt(weights[0] ** 2 + 2 * sum(weight**2 for weight in weights[1:]))
    noise = np.random.default_rng(0).normal(size=20_000)
    assert run(noise, weights).std() == pytest.approx(factor, rel=0.02)
    assert factor < 0.6


def test_a_step_stays_where_it_is() -> None:
    step = run((np.arange(40) >= 20).astype(np.float64), gaussian(0.04, FPS))
    assert np.allclose(step + step[::-1], 1)  # symmetric about the step itself


def test_no_smoothing_gives_the_same_values() -> None:
    noise = np.random.default_rng(0).normal(size=50)
    assert gaussian(0, FPS) == [1.0]
    assert np.array_equal(run(noise, gaussian(0, FPS)), noise)


@given(st.integers(0, 30), st.integers(0, 6))
def test_every_value_comes_out_after_no_more_than_the_look_ahead(count: int, reach: int) -> None:
    weights = [1 / (2 * reach + 1)] * (reach + 1)
    taken = 0

    def values() -> Iterator[torch.Tensor]:
        nonlocal taken
        for number in range(count):
            taken += 1
            yield torch.tensor(float(number))

    given_out = 0
    for given_out, _ in enumerate(smoothed(values(), weights), 1):
        assert taken <= given_out + reach
    assert given_out == count


@pytest.mark.parametrize("sigma_s", [-0.1, 0.51, float("inf"), float("nan")])
def test_a_smoothing_that_cannot_be_is_refused(sigma_s: float) -> None:
    with pytest.raises(UserError, match="smoothing"):
        gaussian(sigma_s, FPS)
