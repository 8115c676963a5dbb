"""What paths do, where it is planted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from liax.atlas.effects import Effects, effects, kin_groups, mean_of_found, path_scale, rank_correlation, spread_of
from liax.atlas.observed import Observed
from liax.atlas.response import Path
from liax.attributes import ATTRIBUTES, CONTROLS
from tests.liax.atlas.planted import LEVELS_L, SD_A, A, alone, effect, linear, response, spread

YAW, SMILE, PUCKER, BLINK, BLINK_LEFT = (
    list(CONTROLS).index(name) for name in ("yaw", "smile", "pucker", "blink", "blink_left")
)


def _of(*moves: dict[str, float], **given: float) -> Effects:
    count = len(moves)
    return effects(response(alone(count), linear(effect(*moves)), **given), spread(count))  # type: ignore[arg-type]


def test_a_planted_slope_is_found_in_sds() -> None:
    found = _of({"yaw": 8.0}, {"yaw": -4.0, "mouthSmileLeft": 0.1, "mouthSmileRight": 0.1})
    assert found.slope_PC[0, YAW] == pytest.approx(1, abs=0.05)
    assert found.slope_PC[1, YAW] == pytest.approx(-0.5, abs=0.03)
    assert found.slope_PA[0, ATTRIBUTES.index("yaw")] == pytest.approx(1, abs=0.05)
    # The mean of two blendshapes that differ independently has an SD of 0.1/√2.
    assert found.slope_PC[1, SMILE] == pytest.approx(np.sqrt(2), abs=0.1)
    assert found.clear_PC.sum() == 3
    assert list(found.strongest_P) == [YAW, SMILE]
    assert found.monotonicity_PC[0, YAW] == found.monotone_share_PC[0, YAW] == 1
    assert found.linearity_PC[0, YAW] > 0.999


def test_slopes_are_for_one_sd_of_the_code() -> None:
    moved = response(alone(1), linear(effect({"yaw": 8.0})))
    assert effects(moved, spread(1, [0.5])).slope_PC[0, YAW] == pytest.approx(0.5, abs=0.03)
    assert effects(moved, spread(1, [0.5])).scale_P[0] == pytest.approx(0.5)


def test_people_who_differ_make_slopes_differ() -> None:
    found = _of({"yaw": 8.0}, gain_sd=0.3, people=200)
    assert found.slope_sd_PC[0, YAW] == pytest.approx(0.3, abs=0.05)
    assert np.isnan(_of({"yaw": 8.0}, people=1).slope_sd_PC).all()


def test_selectivity_is_the_share_of_the_strongest_and_kin_count_once() -> None:
    found = _of(
        {"yaw": 8.0, "pitch": 5.0},
        {"eyeBlinkLeft": 0.1, "eyeBlinkRight": 0.1},
        {},
        noise=0.001,
    )
    assert found.selectivity_P[0] == pytest.approx(0.5, abs=0.01)
    assert found.selectivity_P[1] == pytest.approx(1, abs=0.01)
    assert found.strongest_P[1] == BLINK
    assert np.isnan(found.selectivity_P[2])
    assert found.strongest_P[2] == -1
    assert list(found.moves_P) == [True, True, False]


def test_up_and_down_again_has_a_span_and_is_not_monotone() -> None:
    def change(codes: np.ndarray) -> np.ndarray:
        moved = np.zeros((*codes.shape[:-1], A))
        moved[..., ATTRIBUTES.index("mouthPucker")] = 0.05 * codes[..., 0] ** 2
        return moved

    found = effects(response(alone(1), change), spread(1))
    assert found.span_PC[0, PUCKER] == pytest.approx(0.05 * 2.5**2 / 0.1, rel=0.1)
    assert abs(found.slope_PC[0, PUCKER]) < 0.02
    assert found.monotonicity_PC[0, PUCKER] < 0.5
    assert found.monotone_share_PC[0, PUCKER] < 0.5


def test_lost_faces_are_counted_and_what_is_left_is_measured() -> None:
    whole = response(alone(2), linear(effect({"yaw": 8.0}, {"yaw": 8.0})), people=10)
    whole.values_NPLA[:, 0, 7:] = np.nan
    whole.values_NPLA[0, :, 4] = np.nan  # nothing can be said of a person without an unmoved face
    found = effects(whole, spread(2))
    assert found.detected_P[0] == pytest.approx(6 / 8)
    assert found.detected_P[1] == 1
    assert found.slope_PC[0, YAW] == pytest.approx(1, abs=0.05)
    assert found.people_PC[0, YAW] == 9


def test_nothing_seen_is_nan_and_no_error() -> None:
    blind = response(alone(1), linear(effect({"yaw": 8.0})))
    blind.values_NPLA[:] = np.nan
    found = effects(blind, spread(1))
    assert np.isnan(found.slope_PC).all()
    assert np.isnan(found.span_PC).all()
    assert np.isnan(found.detected_P[0])
    assert not found.moves_P[0]
    assert found.people_PC.max() == 0


def test_drift_off_face_and_path_length() -> None:
    moved = response(alone(1), linear(effect({"yaw": 8.0})), drift=lambda codes: 0.02 * np.abs(codes[..., 0]))
    found = effects(moved, spread(1, [2.0]))
    at_L = np.abs(LEVELS_L[LEVELS_L != 0])
    assert found.drift_P[0] == pytest.approx(0.02 * at_L.mean(), rel=1e-4)
    assert found.off_face_P[0] == pytest.approx(0.002)
    # LPIPS is 0.01 for a squared step of the code, whose SD is 2.
    assert found.path_length_P[0] == pytest.approx(0.04, rel=1e-4)


def test_path_length_is_the_same_for_levels_close_together() -> None:
    """As those of sparse codes are, where a noise floor of LPIPS outweighs the squares of the steps."""
    dense = response(alone(1), linear(effect({"yaw": 8.0})))
    near_L = np.array([-2.5, -0.03, -0.02, -0.01, 0, 0.01, 0.02, 0.03, 2.5], np.float32)
    sparse = response(alone(1, near_L), linear(effect({"yaw": 8.0})))
    for one in (dense, sparse):
        one.steps_NPK[:] += 0.0005
    assert effects(dense, spread(1)).path_length_P[0] == pytest.approx(0.01, rel=0.2)
    assert effects(sparse, spread(1)).path_length_P[0] == pytest.approx(0.01, rel=0.2)


def test_without_networks_there_is_no_drift_and_no_path_length() -> None:
    moved = response(alone(1), linear(effect({"yaw": 8.0})))
    moved.steps_NPK[:] = np.nan
    found = effects(moved, spread(1))
    assert np.isnan(found.drift_P[0])
    assert np.isnan(found.path_length_P[0])


def test_a_combinations_scale_adds_its_directions_up() -> None:
    unit_PM = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.5]])
    assert path_scale(unit_PM, np.array([2.0, 0.5])) == pytest.approx([2, 0.5, 1 / np.hypot(0.5, 1)])
    both = Path("yaw", np.array([1.0, 0.5], np.float32), LEVELS_L)
    found = effects(response([both], linear(effect({"yaw": 4.0}, {"yaw": 8.0}))), spread(2))
    assert found.slope_PC[0, YAW] == pytest.approx(1 / np.hypot(1, 0.5), abs=0.05)


def test_kin_are_in_one_group_and_others_alone() -> None:
    groups = kin_groups()
    assert sorted(place for group in groups for place in group) == list(range(len(CONTROLS)))
    with_blink = next(group for group in groups if BLINK in group)
    assert {list(CONTROLS)[place] for place in with_blink} == {"blink", "blink_left", "blink_right"}


@settings(max_examples=60, deadline=None)
@given(arrays(np.float64, (3, 9), elements=st.integers(-4, 4).map(float)), st.integers(0, 6))
def test_rank_correlation_is_spearmans(values: np.ndarray, missing: int) -> None:
    values[0, np.random.default_rng(missing).permutation(9)[:missing]] = np.nan
    for row, found in zip(values, rank_correlation(values), strict=True):
        there = ~np.isnan(row)
        expected = 0.0 if np.ptp(row[there]) == 0 else spearmanr(np.arange(9)[there], row[there]).statistic
        assert found == pytest.approx(expected, abs=1e-12)


def test_rank_correlation_of_too_few_is_none() -> None:
    assert np.isnan(rank_correlation(np.array([1.0, 2.0, np.nan])))


def test_mean_of_found_leaves_out_nan() -> None:
    assert mean_of_found(np.array([[1.0, np.nan], [3.0, np.nan]]), axis=0) == pytest.approx([2, np.nan], nan_ok=True)


def _observed(values_FA: np.ndarray, person_F: list[str]) -> Observed:
    count = len(person_F)
    codes_FM = np.arange(count, dtype=np.float32)[:, None]
    people_F = np.array(person_F)
    return Observed(codes_FM, values_FA.astype(np.float32), people_F, people_F, np.arange(count))


def test_spread_is_within_people() -> None:
    random = np.random.default_rng(0)
    person_F = [f"p{number % 20}" for number in range(4000)]
    rest_FA = np.array([[int(one[1:])] for one in person_F]) * 10 * SD_A
    found = spread_of(_observed(rest_FA + random.normal(0, 2, (4000, A)) * SD_A, person_F))
    assert found.attribute_A == pytest.approx(2 * SD_A, rel=0.05)
    assert found.by_control["yaw"] == pytest.approx(16, rel=0.05)
    assert found.by_control["smile"] == pytest.approx(0.2 / np.sqrt(2), rel=0.05)
    assert found.code_M[0] == pytest.approx(np.arange(4000).std())


def test_what_hardly_varies_has_the_floor_and_faceless_frames_count_for_codes_alone() -> None:
    values_FA = np.full((6, A), 0.3)
    values_FA[3] = np.nan
    found = spread_of(_observed(values_FA, ["a"] * 6))
    assert found.by_control["cheek"] == CONTROLS["cheek"].error / 2
    assert found.attribute_A[ATTRIBUTES.index("cheekPuff")] == 0.025
    assert found.attribute_A[0] == 1.0
    assert found.code_M[0] == pytest.approx(np.arange(6).std())
    assert np.isfinite(spread_of(_observed(values_FA[3:4], ["a"])).control_C).all()
