"""Which directions make a control, where it is planted what they do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liax.atlas.fit import MOST_DIRECTIONS, combine
from liax.atlas.response import Path, Response
from liax.attributes import ATTRIBUTES, CONTROLS, readout
from tests.liax.atlas.planted import BLINK_LEFT, BLINK_RIGHT, LEVELS_L, SD_A, A, alone, effect, linear, response, spread

SMILE = {"mouthSmileLeft": 0.1, "mouthSmileRight": 0.1}
BOTH = {"eyeBlinkLeft": 0.1, "eyeBlinkRight": 0.1}


def _paths(*moves: dict[str, float], sd: list[float] | None = None, **given: float) -> dict[str, Path]:
    found = response(alone(len(moves)), linear(effect(*moves)), **given)  # type: ignore[arg-type]
    return combine(found, spread(len(moves), sd))


def test_a_pure_direction_is_a_control_by_itself_and_turned_so_that_it_rises() -> None:
    found = _paths({"yaw": -8.0}, {"jawOpen": 0.1})
    assert set(found) == {"yaw", "mouth_open"}
    assert found["yaw"].unit_M == pytest.approx([-1, 0])
    assert found["mouth_open"].unit_M == pytest.approx([0, 1])
    assert found["yaw"].levels_L == pytest.approx(LEVELS_L, abs=1e-4)


def test_what_a_direction_moves_besides_is_taken_back_by_another() -> None:
    found = _paths({"yaw": 8.0, **SMILE}, SMILE)
    moved_A = found["yaw"].unit_M @ effect({"yaw": 8.0, **SMILE}, SMILE)
    assert found["yaw"].unit_M[0] == 1
    assert abs(moved_A[ATTRIBUTES.index("mouthSmileLeft")]) < 0.02
    assert found["smile"].unit_M == pytest.approx([0, 1])


def test_the_purer_of_two_directions_is_taken() -> None:
    found = _paths({"yaw": 8.0, "pitch": 4.0}, {"yaw": 4.0})
    assert abs(found["yaw"].unit_M[1]) == 1


def test_both_eyes_and_one_eye_make_a_wink() -> None:
    found = _paths(BLINK_LEFT, BOTH)
    right_M = found["blink_right"].unit_M
    assert right_M @ effect(BLINK_LEFT, BOTH)[:, ATTRIBUTES.index("eyeBlinkLeft")] == pytest.approx(0, abs=0.01)
    assert right_M[1] == 1
    assert found["blink_left"].unit_M == pytest.approx([1, 0])


def test_a_blink_is_made_of_both_eyes_even_where_one_alone_is_stronger() -> None:
    found = _paths({"eyeBlinkLeft": 0.3}, BOTH)
    assert set(np.flatnonzero(found["blink"].unit_M)) == {1}
    one_and_one = _paths(BLINK_LEFT, BLINK_RIGHT)["blink"]
    assert one_and_one.unit_M == pytest.approx([1, 1], abs=0.05)


def test_what_is_beyond_a_tie_is_taken_back_and_what_is_tied_is_left() -> None:
    """y is 1.1 SDs for one SD of pitch by the observer alone."""
    moved = {"pitch": 5.0, "y": 0.06}
    found = _paths(moved, {"y": 0.02})["pitch"].unit_M
    left = found @ effect(moved, {"y": 0.02})[:, ATTRIBUTES.index("y")] / found[0]
    assert left == pytest.approx(0.022, abs=0.004)
    assert _paths({"pitch": 5.0, "y": 0.02}, {"y": 0.02})["pitch"].unit_M == pytest.approx([1, 0])


def test_dead_unclear_and_breaking_directions_are_not_used() -> None:
    moves = effect({"yaw": 8.0}, {"yaw": 800.0}, {"yaw": 0.05}, {"yaw": 12.0})
    found = response(alone(4), linear(moves))
    found.values_NPLA[:, 3, 5:] = np.nan
    paths = combine(found, spread(4, [1, 0.005, 1, 1]))
    assert set(np.flatnonzero(paths["yaw"].unit_M)) == {0}


def test_a_direction_that_goes_up_and_down_again_is_not_used() -> None:
    def change(codes: np.ndarray) -> np.ndarray:
        moved = codes @ effect({}, {"jawOpen": 0.1})
        moved[..., ATTRIBUTES.index("mouthPucker")] = 0.05 * codes[..., 0] ** 2 + 0.002 * codes[..., 0]
        return moved

    assert set(combine(response(alone(2), change), spread(2))) == {"mouth_open"}


def test_a_direction_that_turns_where_it_hardly_matters_is_used_for_what_it_does_most() -> None:
    def change(codes: np.ndarray) -> np.ndarray:
        moved = codes @ effect({"yaw": 8.0})
        moved[..., ATTRIBUTES.index("mouthPucker")] = 0.01 * codes[..., 0] ** 2
        return moved

    assert set(combine(response(alone(1), change), spread(1))) == {"yaw"}


def test_no_more_directions_than_help() -> None:
    """Ten weak copies: each further one helps less."""
    found = _paths(*[{"yaw": 8.0} for _ in range(10)], noise=0.001)
    assert 1 <= (found["yaw"].unit_M != 0).sum() <= MOST_DIRECTIONS
    helpful = _paths({"yaw": 8.0, **SMILE}, {**SMILE, "jawOpen": 0.1}, {"jawOpen": 0.1, "pitch": 5.0}, {"pitch": 5.0})
    assert (helpful["yaw"].unit_M != 0).sum() == 4


def test_one_that_is_of_use_goes_before_a_purer_one_that_is_not() -> None:
    """The purer one alone turns by 1 degree; and adding it leaves the other's range."""
    found = _paths({"yaw": 0.2}, {"yaw": 8.0, "pitch": 1.0})
    assert found["yaw"].unit_M[1] == 1


def test_a_helper_does_not_take_the_range_away() -> None:
    """Taking the smile back would need more of the second direction than was measured of it."""
    paths = alone(2)
    paths[1] = Path("1", paths[1].unit_M, LEVELS_L / 50)
    found = combine(response(paths, linear(effect({"yaw": 8.0, **SMILE}, SMILE))), spread(2, [1, 0.5]))
    assert found["yaw"].unit_M == pytest.approx([1, 0])
    assert np.ptp(found["yaw"].levels_L) == pytest.approx(5, abs=1e-3)


def _random(seed: int, directions: int) -> tuple[Response, np.ndarray]:
    random = np.random.default_rng(seed)
    moves_MA = random.normal(0, 0.5, (directions, A)) * (random.random((directions, A)) < 0.3) * SD_A
    levels = [LEVELS_L * random.uniform(0.3, 2) + 0.0 for _ in range(directions)]
    paths = [
        Path(path.name, path.unit_M, one.astype(np.float32))
        for path, one in zip(alone(directions), levels, strict=True)
    ]
    return response(paths, linear(moves_MA), people=6), moves_MA


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_whatever_directions_do_paths_are_sparse_within_what_was_measured_and_rise(seed: int, directions: int) -> None:
    found, moves_MA = _random(seed, directions)
    for name, path in combine(found, spread(directions)).items():
        assert 1 <= (path.unit_M != 0).sum() <= MOST_DIRECTIONS
        assert np.abs(path.unit_M).max() == pytest.approx(1)
        assert path.levels_L.shape == (9,)
        assert (np.diff(path.levels_L) > 0).all()
        assert path.levels_L[4] == 0
        reached_ML = path.unit_M[:, None] * path.levels_L
        assert (reached_ML >= found.levels_PL.min(axis=1)[:, None]).all()
        assert (reached_ML <= found.levels_PL.max(axis=1)[:, None]).all()
        assert (path.unit_M @ moves_MA @ readout((name,)).T)[0] > 0


def test_nothing_to_combine_is_no_control() -> None:
    assert _paths({}, {}) == {}
    blind = response(alone(2), linear(effect({"yaw": 8.0}, BLINK_RIGHT)))
    blind.values_NPLA[:] = np.nan
    assert combine(blind, spread(2)) == {}


def test_two_people_are_enough_and_one_says_nothing_of_others() -> None:
    assert "yaw" in _paths({"yaw": 8.0}, people=2)
    assert _paths({"yaw": 8.0}, people=1) == {}


def test_order_is_that_of_the_controls() -> None:
    found = list(_paths({"jawOpen": 0.1}, {"yaw": 8.0}))
    assert found == sorted(found, key=list(CONTROLS).index)
