"""Names and numbers of directions: what they add up to, and what is refused."""

import math

import numpy as np
import pytest

from liax.errors import UserError
from liax.inference.controls import USUAL_SPAN, Controls, parse_settings
from liax.inference.released import RELEASED

NAMED = Controls(40, RELEASED)
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
    (NAMED, {1.7: 0.1}, "1.7 is no direction: give a name, or a whole number"),
    (NAMED, {3: "much"}, "3=much cannot be set: give a finite number"),
    (NAMED, {3: None}, "3=None cannot be set"),
    (NAMED, {"yaw": math.nan}, "yaw=nan cannot be set"),
    (NAMED, {"yaw": math.inf}, "yaw=inf cannot be set"),
])  # fmt: skip
def test_what_cannot_be_set_is_refused(controls: Controls, settings: dict, text: str) -> None:
    with pytest.raises(UserError, match=text) as caught:
        controls.delta(settings)
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


def test_the_same_name_twice_adds_up() -> None:
    assert parse_settings(["yaw=0.2", "37=1", " yaw = 0.1"]) == pytest.approx({"yaw": 0.3, "37": 1})
    assert parse_settings([]) == {}


@pytest.mark.parametrize("text", ["yaw", "yaw=", "=0.2", "yaw=much", "yaw=nan", "yaw=inf", "", "yaw=0.1=0.2"])
def test_what_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="write NAME=VALUE"):
        parse_settings([text])
