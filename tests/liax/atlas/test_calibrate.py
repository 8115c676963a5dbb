"""Controls and what they are worth, where it is planted what directions do."""

import json
from dataclasses import replace

import numpy as np
import pytest

from liax.atlas.calibrate import certify, safe_levels
from liax.atlas.fit import combine
from liax.atlas.response import Path, Response
from liax.attributes import ATTRIBUTES, CONTROLS
from liax.controls_file import ControlsFile, MeasuredControl
from tests.liax.atlas.planted import (
    BLINK_LEFT,
    BLINK_RIGHT,
    LEVELS_L,
    SD_A,
    A,
    Change,
    alone,
    effect,
    halves,
    linear,
    response,
    spread,
)

SMILE = {"mouthSmileLeft": 0.1, "mouthSmileRight": 0.1}


def _same(codes: np.ndarray) -> np.ndarray:
    """An embedder that sees the same person whatever is done."""
    return np.zeros(codes.shape[:-1])


def _controls(change: Change, directions: int, **given: float) -> dict[str, MeasuredControl]:
    """The whole way: directions, combinations, certificates."""
    paths = combine(halves(response(alone(directions), change, **given))[0], spread(directions))  # type: ignore[arg-type]
    if not paths:
        return certify(None, None, spread(directions))
    moved = response(list(paths.values()), change, **{"seed": 1, "drift": _same, **given})  # type: ignore[arg-type]
    return certify(*halves(moved), spread(directions))


def _on_path(name: str, change: Change, levels_L: np.ndarray = LEVELS_L, **given: float) -> Response:
    path = Path(name, np.ones(1, np.float32), levels_L.astype(np.float32))
    return response([path], change, **{"drift": _same, **given})  # type: ignore[arg-type]


def _certified(name: str, found: Response, **given: float) -> MeasuredControl:
    return certify(*halves(found), spread(1), **given)[name]


def test_a_pure_direction_is_certified_in_its_unit() -> None:
    found = _controls(linear(effect({"yaw": -8.0})), 1)
    yaw = found["yaw"]
    assert (yaw.status, yaw.reason) == ("certified", "")
    assert yaw.weights == {0: -1.0}
    assert np.interp(10, yaw.units, yaw.coefficients) == pytest.approx(10 / 8, rel=0.03)
    assert yaw.safe == pytest.approx((-20, 20), rel=0.03)
    assert yaw.r2 is not None
    assert yaw.r2 > 0.95
    assert yaw.error is not None
    assert yaw.error < 1
    assert yaw.second == pytest.approx(1, abs=0.01)
    assert max(abs(change) for change in yaw.cross_talk.values()) < 0.01
    others = {name: control for name, control in found.items() if name != "yaw"}
    assert {control.status for control in others.values()} == {"unavailable"}
    assert set(found) == set(CONTROLS)


def test_all_of_it_is_a_valid_file() -> None:
    moves = effect({"yaw": 8.0, **SMILE}, SMILE, BLINK_LEFT)
    found = _controls(linear(moves), 3)
    file = ControlsFile(model_sha256="0" * 64, directions=3, controls=found)
    again = json.loads(json.dumps(file.model_dump(mode="json"), allow_nan=False))
    assert ControlsFile.model_validate(again) == file


def test_mixed_directions_are_told_apart() -> None:
    found = _controls(linear(effect({"yaw": 8.0, **SMILE}, SMILE)), 2)
    assert found["yaw"].status == found["smile"].status == "certified"
    assert set(found["yaw"].weights) == {0, 1}
    assert abs(found["yaw"].cross_talk["smile"]) * 10 < 0.02


def test_what_cannot_be_taken_apart_is_not_certified() -> None:
    found = _controls(linear(effect({"yaw": 8.0, "pitch": 2.0})), 1)["yaw"]
    assert found.status == "approximate"
    assert found.reason.startswith("also moves pitch: 0.4 of its own effect")
    assert found.cross_talk["pitch"] == pytest.approx(0.25, abs=0.01)
    whole = _controls(linear(effect({"yaw": 8.0, **SMILE})), 1)
    assert whole["yaw"].status == whole["smile"].status == "unavailable"


def test_no_false_wink() -> None:
    both = {"eyeBlinkLeft": 0.2, "eyeBlinkRight": 0.19}
    found = _controls(linear(effect(both)), 1)
    assert found["blink"].status == "certified"
    assert found["blink_left"].status == found["blink_right"].status == "unavailable"
    assert found["blink_left"].reason.startswith("also moves blink_right: 0.9")


def test_a_true_wink_is_certified() -> None:
    found = _controls(linear(effect(BLINK_LEFT, BLINK_RIGHT)), 2)
    assert found["blink_left"].status == found["blink_right"].status == found["blink"].status == "certified"
    assert found["blink_left"].cross_talk["blink"] == pytest.approx(0.5, abs=0.02)


def test_one_eye_only_gives_no_blink_of_both() -> None:
    found = _controls(linear(effect(BLINK_LEFT)), 1)
    assert found["blink_left"].status == "certified"
    assert found["blink_right"].status == "unavailable"
    assert found["blink"].status == "unavailable"
    assert found["blink"].reason.startswith("moves one side of the face more than the other, by 1 of")


def test_closed_eyes_read_as_eyes_that_look_down_and_are_no_gaze() -> None:
    both = {"eyeBlinkLeft": 0.2, "eyeBlinkRight": 0.2, "eyeLookDownLeft": 0.2, "eyeLookDownRight": 0.2}
    found = _controls(linear(effect(both)), 1)
    assert found["blink"].status == "certified"
    assert found["blink"].cross_talk["gaze_y"] == pytest.approx(-1, abs=0.05)  # told all the same
    assert found["gaze_y"].status == "unavailable"
    assert "also moves blink" in found["gaze_y"].reason


def test_ties_excuse_no_more_than_the_observer_adds() -> None:
    """A chin that goes down moves the box a little; half the picture is the model's doing."""
    found = _certified("mouth_open", _on_path("mouth_open", linear(effect({"jawOpen": 0.2, "y": 0.1, "size": 0.1}))))
    assert found.status == "unavailable"
    assert found.reason.startswith("also moves y: 2.2 of its own effect beyond what the observer adds, and 1 more")
    tied = _certified("mouth_open", _on_path("mouth_open", linear(effect({"jawOpen": 0.2, "y": 0.012, "size": 0.016}))))
    assert (tied.status, tied.reason) == ("certified", "")
    assert tied.cross_talk["y"] == pytest.approx(0.06, rel=0.05)  # told all the same


def _opposite_ways(name: str, planted: dict[str, float], both_ways: dict[str, float]) -> MeasuredControl:
    """Half of either half of the people do something else besides, and the others its opposite."""
    found = _on_path(name, linear(effect(planted)))
    ways_N = np.where(np.arange(len(found.people)) // 2 % 2 == 0, 1, -1)
    found.values_NPLA[:, 0] += ways_N[:, None, None] * (LEVELS_L[:, None] @ effect(both_ways)).astype(np.float32)
    return _certified(name, found)


def test_people_who_go_opposite_ways_do_not_cancel() -> None:
    found = _opposite_ways("yaw", {"yaw": 8.0}, {"mouthSmileLeft": 0.2, "mouthSmileRight": 0.2})
    assert found.status == "unavailable"
    assert found.reason.startswith("also moves smile: 2.8 of its own effect")
    assert abs(found.cross_talk["smile"]) < 0.002  # nothing that could be compensated
    crooked = _opposite_ways("smile", SMILE, {"mouthSmileLeft": 0.07, "mouthSmileRight": -0.07})
    assert crooked.status == "unavailable"
    assert crooked.reason == "moves one side of the face more than the other, by 0.7 of its own effect"


def test_an_observers_noise_is_no_cross_talk() -> None:
    """A third of an SD in each reading is about what one overlooks; it has no direction."""
    found = _certified("yaw", _on_path("yaw", linear(effect({"yaw": 8.0})), noise=0.3, people=40))
    assert "also moves" not in found.reason


def test_what_closes_whichever_way_one_turns_is_cross_talk() -> None:
    def change(codes: np.ndarray) -> np.ndarray:
        moved = codes @ effect({"yaw": 8.0})
        moved[..., ATTRIBUTES.index("jawOpen")] = 0.06 * np.abs(codes[..., 0])
        return moved

    found = _certified("yaw", _on_path("yaw", change))
    assert found.status == "unavailable"
    assert found.reason.startswith("also moves mouth_open: 0.6 of its own effect")
    assert abs(found.cross_talk["mouth_open"]) < 0.001  # no slope, and so nothing to compensate


def test_what_nobody_sees_is_not_held_against_a_control() -> None:
    """The mouth opens by 0.04 at the end of the turn: much of what mouths do here, and less than one overlooks."""
    found = certify(
        *halves(_on_path("yaw", linear(effect({"yaw": 8.0, "jawOpen": 0.016})))),
        replace(spread(1), control_C=np.where(np.array(list(CONTROLS)) == "mouth_open", 0.025, spread(1).control_C)),
    )["yaw"]
    assert found.status == "certified"
    assert found.cross_talk["mouth_open"] == pytest.approx(0.002, rel=0.05)  # and told all the same


def test_too_weak_is_said_with_its_size() -> None:
    found = _certified("yaw", _on_path("yaw", linear(effect({"yaw": 0.25}))))
    assert found.status == "unavailable"
    assert found.reason == "moves it by 1.2 deg only; 6 deg is the least that is of use"


def test_up_and_down_again_is_not_monotone() -> None:
    def change(codes: np.ndarray) -> np.ndarray:
        moved = np.zeros((*codes.shape[:-1], A))
        moved[..., ATTRIBUTES.index("yaw")] = 8 * np.abs(codes[..., 0])
        return moved

    found = _certified("yaw", _on_path("yaw", change))
    assert found.status == "unavailable"
    assert found.reason.startswith("not monotone")


def test_people_who_move_very_differently_are_an_error() -> None:
    found = _certified("yaw", _on_path("yaw", linear(effect({"yaw": 8.0})), gain_sd=0.35, people=40))
    assert found.status == "approximate"
    assert "error" in found.reason
    assert found.r2 is not None
    assert found.r2 < 0.95


def test_a_curve_bends_with_the_response() -> None:
    def change(codes: np.ndarray) -> np.ndarray:
        moved = np.zeros((*codes.shape[:-1], A))
        moved[..., ATTRIBUTES.index("jawOpen")] = 0.5 * np.tanh(0.6 * codes[..., 0])
        return moved

    found = _certified("mouth_open", _on_path("mouth_open", change))
    assert found.status == "certified"
    assert np.interp(0.25, found.units, found.coefficients) == pytest.approx(np.arctanh(0.5) / 0.6, rel=0.08)


def test_the_safe_range_ends_where_faces_are_lost() -> None:
    moved = _on_path("yaw", linear(effect({"yaw": 8.0})), people=40)
    moved.values_NPLA[:3, 0, 7:] = np.nan  # of three people in forty: 92.5 % are left
    moved.values_NPLA[:1, 0, 0] = np.nan  # of one: within the bound
    found = _certified("yaw", moved)
    assert found.status == "certified"
    assert found.safe == pytest.approx((-20, 8 * LEVELS_L[6]), rel=0.05)
    assert found.units[-1] == pytest.approx(20, rel=0.05)  # known, but not safe


def test_the_safe_range_ends_where_people_become_others() -> None:
    moved = _on_path("yaw", linear(effect({"yaw": 8.0})), drift=lambda codes: 0.04 * codes[..., 0] ** 2)
    assert _certified("yaw", moved).safe == pytest.approx((-8 * 1.25, 8 * 1.25), rel=0.05)
    assert _certified("yaw", moved, most_drift=1.0).safe == pytest.approx((-20, 20), rel=0.05)


def test_a_path_that_breaks_faces_at_once_is_unavailable() -> None:
    moved = _on_path("yaw", linear(effect({"yaw": 8.0})))
    moved.values_NPLA[:6, 0, 5:] = np.nan
    moved.values_NPLA[4:10, 0, :4] = np.nan
    found = _certified("yaw", moved)
    assert found.status == "unavailable"
    assert found.reason.startswith("faces are lost, or become another's, beyond 0 deg")


def test_the_second_observer_must_see_it_too() -> None:
    moved = _on_path("yaw", linear(effect({"yaw": 8.0})))
    moved.second_NPLB[..., 0] = np.random.default_rng(0).normal(0, 1, moved.second_NPLB.shape[:3])
    fooled = _certified("yaw", moved)
    assert fooled.status == "unavailable"
    assert fooled.reason.startswith("a second observer agrees to")
    moved.second_NPLB[..., 0] = 3.0
    assert _certified("yaw", moved).second == 0


def test_no_second_observer_is_none_and_one_that_fails_is_said() -> None:
    moved = _on_path("yaw", linear(effect({"yaw": 8.0})))
    moved.second_NPLB[:, :, 1:] = np.nan
    failed = _certified("yaw", moved)
    assert failed.second is None
    assert (failed.status, failed.reason) == ("approximate", "the second observer saw 0% of the faces only")
    moved.second_NPLB[:] = np.nan
    absent = _certified("yaw", moved)
    assert absent.second is None
    assert absent.status == "certified"


def test_without_an_embedder_nothing_is_certified() -> None:
    found = _certified("yaw", _on_path("yaw", linear(effect({"yaw": 8.0})), drift=None))  # type: ignore[arg-type]
    assert (found.status, found.reason) == ("approximate", "identity was not measured")


def test_what_nobody_saw_is_unavailable_and_no_error() -> None:
    moved = _on_path("yaw", linear(effect({"yaw": 8.0})))
    moved.values_NPLA[1::2] = np.nan
    held_out = _certified("yaw", moved)
    assert held_out.status == "unavailable"
    assert held_out.reason.startswith("seen on 0 of the people")
    moved.values_NPLA[:] = np.nan
    assert _certified("yaw", moved).reason == "moved together, its directions do not move it"
    assert _certified("yaw", moved).weights == {0: 1.0}


def test_few_people_are_too_few_to_certify_on() -> None:
    few = _controls(linear(effect({"yaw": 8.0})), 1, people=4)["yaw"]
    assert (few.status, few.reason) == ("approximate", "only 2 people to check on; 8 are needed")
    one_unseen = _on_path("yaw", linear(effect({"yaw": 8.0})))
    one_unseen.values_NPLA[1, 0, 4] = np.nan  # nothing can be said of a person without an unmoved face
    assert _certified("yaw", one_unseen).reason == "only 7 people to check on; 8 are needed"


@pytest.mark.parametrize("seed", range(4))
def test_a_random_dictionary_certifies_nothing(seed: int) -> None:
    moves_MA = np.random.default_rng(seed).normal(0, 0.5, (30, A)) * SD_A
    found = _controls(linear(moves_MA), 30)
    assert [name for name, control in found.items() if control.status == "certified"] == []
    assert all(control.reason for control in found.values())


def test_safe_levels_are_around_0_and_without_a_face_there_are_none() -> None:
    moved = _on_path("yaw", linear(effect({"yaw": 8.0})))
    assert safe_levels((moved,), 0, 0.1).all()
    moved.values_NPLA[:, 0, 2] = np.nan
    assert list(np.flatnonzero(safe_levels((moved,), 0, 0.1))) == [3, 4, 5, 6, 7, 8]
    moved.values_NPLA[:, 0, 4] = np.nan
    assert not safe_levels((moved,), 0, 0.1).any()
