"""Measured controls in numbers: curves, and several at once that move each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liax.controls_file import MeasuredControl
from liax.inference.measured import coefficient, compensated, missed, step, with_unit
from tests.measured_controls import controls_file, measured_control

CONTROLS = controls_file().controls
SMILE = CONTROLS["smile"]


@pytest.mark.parametrize(("value", "expected"), [
    (0.0, 0.0), (0.1, 0.5), (0.2, 1.0), (0.4, 1.5), (0.6, 2.0), (-0.1, -0.25),
    (0.8, 2.5), (-0.4, -1.0),  # straight on, with the slope of the last piece
])  # fmt: skip
def test_the_curve_is_followed_and_continued(value: float, expected: float) -> None:
    assert coefficient(SMILE, value) == pytest.approx(expected)


def test_a_step_goes_along_all_weights() -> None:
    np.testing.assert_allclose(step(SMILE, 0.4, 5), [0, 0, 1.5, -0.75, 0])


def changed(controls: dict[str, MeasuredControl], values: dict[str, float]) -> dict[str, float]:
    """A linear toy that does what the cross-talk says: what each control is, when all are set to values."""
    return {
        name: sum(value * (1.0 if other == name else controls[other].cross_talk.get(name, 0.0)) for other, value in
                  values.items())
        for name in values
    }  # fmt: skip


@pytest.mark.parametrize("wanted", [
    {"yaw": 10.0, "pitch": 5.0},
    {"yaw": 10.0, "pitch": 0.0},
    {"yaw": -8.0, "pitch": 3.0, "smile": 0.4},
])  # fmt: skip
def test_several_at_once_are_all_reached(wanted: dict[str, float]) -> None:
    uncorrected = changed(CONTROLS, wanted)
    assert max(abs(uncorrected[name] - wanted[name]) for name in wanted) > 0.4, "they move each other"
    values, expected = compensated(CONTROLS, wanted)
    reached = changed(CONTROLS, values)
    for name, value in wanted.items():
        assert reached[name] == pytest.approx(value, rel=0.01, abs=0.01)
        assert reached[name] == pytest.approx(expected[name])
        assert not missed(CONTROLS[name], value, expected[name])


def test_one_alone_is_left_alone() -> None:
    for name, value in (("yaw", 12.5), ("smile", 0.3)):
        assert compensated(CONTROLS, {name: value})[0] == {name: pytest.approx(value)}
    assert compensated(CONTROLS, {}) == ({}, {})


def test_what_does_the_same_is_not_set_against_each_other() -> None:
    """Two controls that are one: no settings give 10 and 0, and none must run away in the attempt."""
    twins = {
        "one": measured_control(cross_talk={"other": 1.0}),
        "other": measured_control(cross_talk={"one": 1.0}),
    }
    for bounded in (True, False):
        values, expected = compensated(twins, {"one": 10.0, "other": 0.0}, bounded=bounded)
        assert all(abs(value) <= 10 for value in values.values())
        assert expected["one"] == pytest.approx(5, abs=0.1)
        assert missed(twins["one"], 10.0, expected["one"])
    values, expected = compensated(twins, {"one": 5.0, "other": 5.0})
    assert expected["one"] == pytest.approx(5, abs=0.1)
    assert values["one"] + values["other"] == pytest.approx(5, abs=0.1)


def test_at_the_end_of_a_range_what_is_missed_is_shared() -> None:
    """For 15 and -2, a would have to be 21.3, and ends at 18. Then b minimises ((3+b/2)/33)² + ((11+b)/40)²."""
    pair = {
        "a": measured_control(cross_talk={"b": 0.5}),
        "b": measured_control(cross_talk={"a": 0.5}, safe=(-20, 20), units=[-20, 0, 20], coefficients=[-2, 0, 2]),
    }
    values, expected = compensated(pair, {"a": 15.0, "b": -2.0})
    assert values == {"a": 18.0, "b": pytest.approx(-9.66, abs=0.05)}
    assert expected == {"a": pytest.approx(18 - 9.66 / 2, abs=0.05), "b": pytest.approx(9 - 9.66, abs=0.05)}
    free, reached = compensated(pair, {"a": 15.0, "b": -2.0}, bounded=False)
    assert free["a"] == pytest.approx(21.33, abs=0.2)
    assert reached["a"] == pytest.approx(15, abs=0.1)


@given(
    wanted=st.tuples(st.floats(-15, 18), st.floats(-15, 18), st.floats(-0.2, 0.6)),
    talk=st.lists(st.floats(-3, 3), min_size=6, max_size=6),
)
def test_settings_stay_safe_whatever_the_cross_talk(wanted: tuple, talk: list[float]) -> None:
    controls = {
        "yaw": measured_control(cross_talk={"pitch": talk[0], "smile": talk[1] / 30}),
        "pitch": measured_control(cross_talk={"yaw": talk[2], "smile": talk[3] / 30}),
        "smile": SMILE.model_copy(update={"cross_talk": {"yaw": talk[4] * 30, "pitch": talk[5] * 30}}),
    }
    asked = dict(zip(controls, wanted, strict=True))
    values, expected = compensated(controls, asked)
    for name, value in values.items():
        low, high = controls[name].safe
        assert low - 1e-9 <= value <= high + 1e-9
    assert changed(controls, values) == pytest.approx(expected, abs=1e-6)


def test_units_for_people() -> None:
    shown = [with_unit(10.0, "deg"), with_unit(0.05, "side"), with_unit(1 / 3, "share"), with_unit(-0.0001, "deg")]
    assert shown == ["10 deg", "0.05 of the side", "0.333", "0 deg"]
