"""Names and numbers of directions: what they add up to, and what is refused."""

import math

import numpy as np
import pytest

from liax.errors import UserError
from liax.inference.controls import USUAL_SPAN, Controls, parse_settings
from liax.inference.released import RELEASED
from tests.measured_controls import controls_file

NAMED = Controls(40, RELEASED)
MEASURED = Controls(20, file=controls_file())
BARE = Controls(20)


def nonzero(delta_M: np.ndarray) -> dict[int, float]:
    return {int(index): round(float(delta_M[index]), 6) for index in np.flatnonzero(delta_M)}


def test_the_published_table() -> None:
    """Indices and ranges of the released demo, written out a second time."""
    heads = {"yaw": (37, 39), "pitch": (28,), "roll": (15, 33), "neck": (31,)}
    faces = {"pout": (6,), "mouth": (25,), "mouth_o": (16,), "cheek": (19,), "eyes": (13,), "eyebrows": (24,)}
    for name, indices in (heads | faces | {"eyeballs": (17, 26)}).items():
        assert NAMED.indices(name) == indices
    assert NAMED.span("yaw") == NAMED.span("pitch") == NAMED.span(39) == (-1, 0.5)
    assert NAMED.span("roll2") == (-0.5, 0.5)
    assert NAMED.span("mouth") == NAMED.span("eyes") == (-0.4, 0.4)
    assert NAMED.span("26") == (-0.2, 0.2)
    assert NAMED.span(0) == BARE.span(3) == USUAL_SPAN


def test_names_and_indices_mix_and_add_up() -> None:
    assert nonzero(NAMED.delta({"yaw": 0.2, "yaw1": 0.1, "37": -0.05, 39: 0.03, 0: 1})) == {0: 1, 37: 0.25, 39: 0.23}
    assert nonzero(NAMED.delta({"roll": 0.1, "pout": -0.1})) == {6: -0.1, 15: 0.1, 33: 0.1}
    assert nonzero(BARE.delta({"19": 0.5})) == {19: 0.5}
    assert BARE.delta(None).shape == (20,)
    assert nonzero(BARE.delta({np.int64(3): np.float32(0.5)})) == {3: 0.5}
    assert BARE.delta({}).dtype == np.float32


@pytest.mark.parametrize(("controls", "settings", "text"), [
    (NAMED, {"yav": 0.1}, "no direction is called 'yav': did you mean yaw"),
    (NAMED, {"smile": 0.1}, "there are yaw, yaw1, yaw2, pitch, .*, eyeballs2, and an index from 0 to 39"),
    (NAMED, {"1.5": 0.1}, "'1.5'"),
    (NAMED, {"²": 0.1}, "'²'"),
    (NAMED, {"--5": 0.1}, "'--5'"),
    (NAMED, {"40": 0.1}, "no direction 40: this model has 0 to 39"),
    (NAMED, {-1: 0.1}, "no direction -1"),
    (BARE, {"yaw": 0.1}, "no names, give an index from 0 to 19"),
    (BARE, {20: 0.1}, "no direction 20"),
    (BARE, {"yaw": 0.1}, "`liax atlas` finds out what they do"),
    (MEASURED, {"yav": 1}, "no direction is called 'yav': did you mean yaw.* there are yaw, pitch, smile, and "),
    (MEASURED, {"blink": 1}, "did you mean blink_left"),
    (MEASURED, {"blink_left": 1}, "cannot do blink_left: also closes the right eye; it can do yaw, pitch, smile$"),
    (MEASURED, {"20": 1}, "no direction 20"),
    (MEASURED, {"yaw": math.inf}, "yaw=inf cannot be set"),
    (NAMED, {1.7: 0.1}, "1.7 is no direction: give a name, or a whole number"),
    (NAMED, {3: "much"}, "3=much cannot be set: give a finite number"),
    (NAMED, {3: None}, "3=None cannot be set"),
    (NAMED, {"yaw": math.nan}, "yaw=nan cannot be set"),
    (NAMED, {"yaw": math.inf}, "yaw=inf cannot be set"),
])  # fmt: skip
def test_what_cannot_be_set_is_refused(controls: Controls, settings: dict, text: str) -> None:
    for unsafe in (False, True):
        with pytest.raises(UserError, match=text) as caught:
            controls.delta(settings, unsafe)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("settings", "warned"), [
    ({"yaw": 0.5, "pitch": -1, "eyeballs": 0.2, 0: 9}, []),
    ({"yaw1": 0.3, "yaw": 0.3}, ["yaw1=0.6"]),
    ({"yaw": -1.2}, ["yaw1=-1.2", "yaw2=-1.2"]),
    ({"13": 0.41}, ["eyes=0.41"]),
])  # fmt: skip
def test_out_of_the_published_range_warns(settings: dict, warned: list, capsys: pytest.CaptureFixture[str]) -> None:
    NAMED.delta(settings)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(warned)
    for line, start in zip(lines, warned, strict=True):
        assert line.startswith(f"warning: {start} is outside the published range")


def test_measured_controls_are_set_in_their_units() -> None:
    assert nonzero(MEASURED.delta({"yaw": 10})) == {0: 1.0}
    assert nonzero(MEASURED.delta({"yaw": -4})) == {0: -0.4}
    assert nonzero(MEASURED.delta({"smile": 0.4})) == {2: 1.5, 3: -0.75}
    assert nonzero(MEASURED.delta({"yaw": 10, "0": 0.25, 5: -1})) == {0: 1.25, 5: -1.0}
    assert nonzero(MEASURED.delta({"yaw": 0})) == {}


def test_measured_controls_make_up_for_each_other() -> None:
    """Yaw moves pitch by 0.2, and pitch yaw by -0.1, a unit: y - 0.1 p = 10 and 0.2 y + p = 5."""
    yaw = (10 + 0.1 * 5) / (1 + 0.1 * 0.2)
    delta_M = MEASURED.delta({"yaw": 10, "pitch": 5})
    assert delta_M[0] == pytest.approx(yaw / 10, rel=0.005)
    assert delta_M[1] == pytest.approx((5 - 0.2 * yaw) / 10, rel=0.005)


@pytest.mark.parametrize(("settings", "unsafe", "expected", "lines"), [
    ({"yaw": 18}, False, {0: 1.8}, []),
    ({"yaw": 30}, False, {0: 1.8}, ["yaw=30 is outside the safe range -15 to 18 deg: set to 18 deg; unsafe goes"]),
    ({"yaw": -16}, False, {0: -1.5}, ["yaw=-16 is outside the safe range -15 to 18 deg: set to -15 deg"]),
    ({"yaw": 30}, True, {0: 3.0}, ["yaw=30 is outside the safe range -15 to 18 deg; the face may break"]),
    ({"yaw": 18}, True, {0: 1.8}, []),
    ({"0": 30}, False, {0: 30.0}, []),
])  # fmt: skip
def test_beyond_the_safe_range(
    settings: dict, unsafe: bool, expected: dict, lines: list, capsys: pytest.CaptureFixture[str]
) -> None:
    assert nonzero(MEASURED.delta(settings, unsafe)) == pytest.approx(expected)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == len(lines)
    for line, start in zip(said, lines, strict=True):
        assert line.startswith(f"warning: {start}")


def test_an_approximate_control_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    MEASURED.delta({"smile": 0.1}, quiet=True)
    assert capsys.readouterr().out == ""
    for _ in range(2):  # another caller has not heard it yet
        MEASURED.delta({"smile": 0.1})
        said = capsys.readouterr().out
        assert said == "warning: smile is approximate, off by 0.08 on average: also moves mouth_open\n"


def test_what_cannot_be_had_together_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    file = controls_file()
    talk = {"yaw": file.controls["yaw"].model_copy(update={"cross_talk": {"pitch": 1.0}})}
    talk["pitch"] = file.controls["pitch"].model_copy(update={"cross_talk": {"yaw": 1.0}})
    controls = Controls(20, file=file.model_copy(update={"controls": talk}))
    controls.delta({"yaw": 10, "pitch": 0})
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("warning: yaw and pitch move each other and cannot all be had: expect yaw 5")


def test_measured_names_take_the_place_of_the_published_ones() -> None:
    controls = Controls(40, RELEASED, controls_file(directions=40))
    assert nonzero(controls.delta({"yaw": 10})) == {0: 1.0}
    assert controls.name(37) is None
    with pytest.raises(UserError, match="no direction is called 'neck'"):
        controls.delta({"neck": 0.1})
    with pytest.raises(UserError, match="those of 20 directions, and this model has 40"):
        Controls(40, RELEASED, controls_file(directions=20))


def test_choices_for_people() -> None:
    yaw, pitch, smile, blink = MEASURED.choices()
    assert (yaw.name, yaw.unit, yaw.span, yaw.status, yaw.error) == ("yaw", "deg", (-15, 18), "certified", 0.8)
    assert pitch.meaning == "the head looks up"
    assert (smile.status, smile.reason) == ("approximate", "also moves mouth_open")
    assert (blink.status, blink.span, blink.reason) == ("unavailable", (0, 0), "also closes the right eye")
    published = NAMED.choices()
    assert [choice.name for choice in published] == list(RELEASED)
    assert (published[0].status, published[0].span, published[0].unit) == ("published", (-1, 0.5), "")
    assert [(choice.name, choice.status) for choice in BARE.choices()] == [(str(i), "index") for i in range(20)]


def test_one_step_and_its_range() -> None:
    assert (MEASURED.span("yaw"), MEASURED.unit("yaw"), MEASURED.unit("3"), NAMED.unit("yaw")) == (
        (-15, 18),
        "deg",
        "",
        "",
    )
    assert nonzero(MEASURED.step("yaw", 30)) == {0: 3.0}
    assert nonzero(NAMED.step("yaw", 0.2)) == {37: 0.2, 39: 0.2}
    assert MEASURED.indices("smile") == (2, 3)


def test_the_same_name_twice_adds_up() -> None:
    assert parse_settings(["yaw=0.2", "37=1", " yaw = 0.1"]) == pytest.approx({"yaw": 0.3, "37": 1})
    assert parse_settings([]) == {}
    assert parse_settings(["yaw=+10", "pitch=-5"]) == {"yaw": 10, "pitch": -5}


@pytest.mark.parametrize(
    "text", ["yaw", "yaw=", "=0.2", "yaw=much", "yaw=+-1", "yaw=nan", "yaw=inf", "", "yaw=0.1=0.2"]
)
def test_what_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="write NAME=VALUE"):
        parse_settings([text])
