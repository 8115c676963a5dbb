"""Values that a picture shall show: reached by measuring and correcting, and said where they cannot be.

The synthetic animator stands for a model, and MediaPipe measures: it sees some 4 degrees of a photograph that is warped
by 10. The controls say 6, so that without a correction all would be missed.
"""

import re
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from liax.attributes import CONTROLS, attributes_of, readout
from liax.controls_file import ControlsFile, MeasuredControl
from liax.errors import UserError
from liax.face import Face, FaceFinder
from liax.inference.absolute import Reached, reach, reach_all, wanted_values
from liax.inference.controls import Controls
from liax.pictures import Picture
from liax.synthetic.animator import SyntheticAnimator
from tests.measured_controls import controls_file, measured_control

YAW, MIXED, MOUTH = 0, 1, 5
"""Directions of the synthetic animator: yaw, 10 degrees a unit; yaw and smile together; mouth."""


@pytest.fixture(scope="module")
def animator() -> SyntheticAnimator:
    return SyntheticAnimator()


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder(max_faces=1) as finder:
        yield finder


def controls_of(animator: SyntheticAnimator, **changes: MeasuredControl) -> Controls:
    yaw = measured_control(units=[-24.0, 0.0, 24.0], coefficients=[-4.0, 0.0, 4.0], safe=(-24.0, 24.0))
    mouth = measured_control(
        unit="share", weights={MOUTH: 1.0}, units=[-0.5, 0.0, 1.0], coefficients=[-3.0, 0.0, 6.0], safe=(-0.4, 0.9)
    )
    file = ControlsFile(
        model_sha256="0", directions=animator.directions, controls={"yaw": yaw, "mouth_open": mouth, **changes}
    )
    return Controls(animator.directions, file=file)


def measured(finder: FaceFinder, picture_SSC: Picture, name: str) -> float:
    (face, *_) = finder.find(picture_SSC)
    return float((readout((name,)) @ attributes_of(face, picture_SSC.shape[0]))[0])


@pytest.mark.parametrize("wanted", [
    {"yaw": 0.0}, {"yaw": 12.0}, {"yaw": -8.0}, {"yaw": 10.0, "mouth_open": 0.5},
])  # fmt: skip
def test_what_is_wanted_is_reached(
    animator: SyntheticAnimator, finder: FaceFinder, wanted: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    controls = controls_of(animator)
    for number in (3, 5):
        reached = reach(animator, controls, animator.portrait(number), wanted, finder)
        for name, value in wanted.items():
            assert reached.values[name] == pytest.approx(value, abs=CONTROLS[name].error)
            assert measured(finder, reached.picture_SSC, name) == pytest.approx(reached.values[name])
    assert capsys.readouterr().out == ""


def test_a_correction_is_needed_and_made(animator: SyntheticAnimator, finder: FaceFinder) -> None:
    portrait, controls = animator.portrait(3), controls_of(animator)
    source = animator.encode([portrait])
    delta_M = torch.from_numpy(controls.delta({"yaw": 12 - measured(finder, portrait, "yaw")}))
    (once,) = animator.decode(animator.navigate(source.z_BD, source.motion_BM + delta_M), source.features)
    uncorrected = abs(measured(finder, once, "yaw") - 12)
    reached = reach(animator, controls, portrait, {"yaw": 12.0}, finder)
    assert uncorrected > 2 > 2 * abs(reached.values["yaw"] - 12)


def test_the_safe_range_holds_and_can_be_left(
    animator: SyntheticAnimator, finder: FaceFinder, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = measured_control(units=[-16.0, 0.0, 16.0], coefficients=[-4.0, 0.0, 4.0], safe=(-5.0, 5.0))
    controls = controls_of(animator, yaw=narrow)
    portrait = animator.portrait(3)
    unmoved = measured(finder, portrait, "yaw")
    held = reach(animator, controls, portrait, {"yaw": 10.0}, finder)
    assert held.values["yaw"] == pytest.approx(unmoved + 5, abs=2)
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"warning: yaw 10 deg needs a change of [\d.]+ deg, and safe is -5 to 5 deg: "
        r"changed by 5 deg; unsafe goes further",
        line,
    )
    free = reach(animator, controls, portrait, {"yaw": 10.0}, finder, unsafe=True)
    assert free.values["yaw"] == pytest.approx(10, abs=2)
    (line,) = capsys.readouterr().out.splitlines()
    assert re.search(r"yaw 10 deg needs a change of [\d.]+ deg, and safe is -5 to 5 deg; the face may break", line)


def test_what_cannot_be_had_together_is_said_in_values_of_the_picture(capsys: pytest.CaptureFixture[str]) -> None:
    talk = {
        name: measured_control(weights={index: 1.0}, cross_talk={other: 1.0})
        for index, (name, other) in enumerate([("yaw", "pitch"), ("pitch", "yaw")])
    }
    controls = Controls(20, file=ControlsFile(model_sha256="0", directions=20, controls=talk))
    controls.delta({"yaw": 10, "pitch": 0}, start={"yaw": 20, "pitch": -3})
    assert re.search(r"cannot all be had: expect yaw 25\S* deg, pitch 2\S* deg$", capsys.readouterr().out)


class Scripted:
    """A finder that sees what it is told, and then no face."""

    def __init__(self, yaws: list[float]) -> None:
        self.yaws = yaws

    def find(self, picture_HWC: Picture) -> list[Face]:
        if not self.yaws:
            return []
        pose_3 = np.array([self.yaws.pop(0), 0, 0], dtype=np.float32)
        return [Face(np.zeros((478, 3), np.float32), (0.0, 0.0, 1.0, 1.0), pose_3, np.zeros(52, np.float32))]


@pytest.mark.parametrize(("seen", "kept", "looked"), [
    ([0, 10], 10, 2),  # near enough at once
    ([0, 7, 10.1], 10.1, 3),
    ([0, 7, 8, 9, 10], 9, 4),  # two corrections and no more
    ([0, 9, 14, 15], 9, 4),  # a correction that makes it worse is not taken
    ([0, 7], 7, 2),  # a correction that breaks the face is not taken
])  # fmt: skip
def test_the_nearest_picture_counts(animator: SyntheticAnimator, seen: list, kept: float, looked: int) -> None:
    finder = Scripted(list(seen))
    reached = reach(animator, controls_of(animator), animator.portrait(1), {"yaw": 10.0}, finder)
    assert reached.values["yaw"] == pytest.approx(kept)
    assert len(seen) - len(finder.yaws) == looked


def test_without_a_face_nothing_can_be_measured(
    animator: SyntheticAnimator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="no face is found in what the model draws of the unmoved portrait"):
        reach(animator, controls_of(animator), animator.portrait(1), {"yaw": 10.0}, Scripted([]))
    lost = reach(animator, controls_of(animator), animator.portrait(1), {"yaw": 10.0}, Scripted([0.0]))
    assert lost.values == {}
    monkeypatch.setattr("liax.inference.absolute.reach", lambda *_: lost)
    reach_all(animator, controls_of(animator), [animator.portrait(1)], {"yaw": 10.0})
    assert "warning: no face is found in the moved picture" in capsys.readouterr().out


def test_how_near_it_came_is_said(
    animator: SyntheticAnimator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = Reached(animator.portrait(1), {"yaw": 9.7123, "mouth_open": 0.28})
    monkeypatch.setattr("liax.inference.absolute.reach", lambda *_: found)
    wanted = {"yaw": 10.0, "mouth_open": 0.3}
    assert reach_all(animator, controls_of(animator), [animator.portrait(1)], wanted)[0] is found.picture_SSC
    assert capsys.readouterr().out == "reached yaw 9.71 of 10 deg, mouth_open 0.28 of 0.3\n"
    reach_all(animator, controls_of(animator), [animator.portrait(1)] * 2, wanted)
    assert [line[:7] for line in capsys.readouterr().out.splitlines()] == ["face 1:", "face 2:"]


@pytest.mark.parametrize(("settings", "text"), [
    ({"3": 1}, "3 has no value that could be measured in a picture, so it cannot be absolute: set yaw, pitch, smile"),
    ({3: 1}, "3 has no value that could be measured"),
    ({"blink_left": 1}, "this model cannot do blink_left"),
    ({"yav": 1}, "no direction is called 'yav'"),
    ({"yaw": np.nan}, "give a finite number"),
])  # fmt: skip
def test_only_what_can_be_measured_can_be_absolute(settings: dict, text: str) -> None:
    with pytest.raises(UserError, match=text):
        wanted_values(Controls(20, file=controls_file()), settings)
    assert wanted_values(Controls(20, file=controls_file()), {"yaw": 3}) == {"yaw": 3.0}


def test_a_model_that_was_not_measured_has_no_absolute_values() -> None:
    with pytest.raises(UserError, match="measure the model with `liax atlas` first"):
        wanted_values(Controls(20), {"3": 1})
