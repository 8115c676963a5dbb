"""How far directions are moved, and what is told of codes."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from liax.atlas.observed import Observed
from liax.atlas.statistics import OUTERMOST, QUANTILES, dead, levels, passive
from liax.attributes import ATTRIBUTES


def test_levels_of_normal_codes_are_even_and_scale_with_them() -> None:
    codes_FM = np.random.default_rng(0).normal(5, [1.0, 0.1], (40_000, 2))
    found_ML = levels(codes_FM)
    assert found_ML.dtype == np.float32
    assert found_ML[0] == pytest.approx(np.linspace(-OUTERMOST, OUTERMOST, 9), abs=0.1)
    assert found_ML[1] == pytest.approx(0.1 * np.linspace(-OUTERMOST, OUTERMOST, 9), abs=0.01)


def test_levels_follow_lopsided_codes() -> None:
    codes_FM = np.random.default_rng(0).exponential(1, (20_000, 1))
    low, high = levels(codes_FM)[0, [0, -1]]
    assert low == pytest.approx(-np.log(2), abs=0.05)
    assert high == pytest.approx(-np.log(0.0062) - np.log(2), abs=0.3)


def test_a_dead_direction_is_still_moved_a_little() -> None:
    codes_FM = np.random.default_rng(0).normal(0, [2.0, 0.0], (500, 2))
    assert levels(codes_FM)[1] == pytest.approx(0.02 * np.linspace(-1, 1, 9), abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, st.tuples(st.integers(2, 30), st.integers(1, 4)), elements=st.floats(-50, 50, width=32)),
    st.sampled_from([3, 5, 9]),
)
def test_levels_always_ascend_through_0(codes_FM: np.ndarray, count: int) -> None:
    found_ML = levels(codes_FM, count)
    assert found_ML.shape == (codes_FM.shape[1], count)
    assert (np.diff(found_ML, axis=1) > 0).all()
    assert (found_ML[:, count // 2] == 0).all()


@pytest.mark.parametrize("count", [1, 4])
def test_levels_without_a_middle_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="odd"):
        levels(np.zeros((3, 2)), count)


def test_all_codes_still_are_no_error() -> None:
    codes_FM = np.full((10, 3), 0.3)
    assert dead(codes_FM).all()
    assert (np.diff(levels(codes_FM), axis=1) > 0).all()


def _observed(codes_FM: np.ndarray) -> Observed:
    frames = len(codes_FM)
    attributes_FA = np.zeros((frames, len(ATTRIBUTES)), np.float32)
    attributes_FA[0] = np.nan
    person_F = np.repeat(["a", "b"], frames // 2)
    return Observed(codes_FM.astype(np.float32), attributes_FA, person_F, person_F, np.tile(np.arange(frames // 2), 2))


def test_what_is_told_is_json_and_counts_all() -> None:
    codes_FM = np.random.default_rng(0).normal(0, 1, (200, 6)) * [1, 1, 1, 0.5, 0.02, 0.001]
    found = passive(_observed(codes_FM))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["frames"], found["faces"], found["people"], found["clips"]) == (200, 199, 2, 2)
    assert found["dead"] == [5]
    assert found["energy_90"] == 3
    assert len(found["directions"]) == 6
    assert found["directions"][3]["sd"] == pytest.approx(0.5, rel=0.15)
    assert len(found["directions"][3]["quantiles"]) == len(QUANTILES)


def test_relative_codes_are_less_what_stands_still() -> None:
    """People whose codes differ, and hardly move: absolute codes look sparse, relative ones do not."""
    codes_FM = np.random.default_rng(0).normal(0, 0.1, (200, 10))
    codes_FM[:100, 0] += 10
    codes_FM[100:, 1] += 10
    found = passive(_observed(codes_FM))
    assert found["absolute"]["hoyer"] > 0.9
    assert found["relative"]["hoyer"] < 0.5
