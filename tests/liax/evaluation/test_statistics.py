"""Intervals of means whose width is known."""

import numpy as np
import pytest

from liax.evaluation.statistics import interval


def test_the_interval_of_independent_values_is_the_normal_one() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 400)
    low, high = interval(values)
    assert (low + high) / 2 == pytest.approx(values.mean(), abs=0.03)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_equal_values_leave_no_doubt() -> None:
    assert interval(np.full(5, 0.25)) == (0.25, 0.25)


def test_copies_of_a_video_do_not_make_it_surer() -> None:
    values = np.random.default_rng(2).normal(size=30)
    alone = interval(values, list(range(30)))
    copied = interval(np.repeat(values, 4), [video for video in range(30) for _ in range(4)])
    assert copied == pytest.approx(alone)
    assert np.diff(interval(np.repeat(values, 4)))[0] < 0.6 * np.diff(alone)[0]


def test_one_video_alone_has_no_spread() -> None:
    assert interval(np.array([1.0, 2.0, 3.0]), ["a", "a", "a"]) == (2.0, 2.0)
