"""Controls of both sides of the face."""

import numpy as np
import pytest

from liax.atlas.sides import left_less_right
from liax.attributes import ATTRIBUTES, CONTROLS

BOTH = {"smile", "frown", "brow_raise", "brow_frown", "blink", "squint", "eyes_wide", "gaze_x", "gaze_y", "sneer"}


def test_which_controls_are_of_both_sides() -> None:
    assert {name for name in CONTROLS if left_less_right(name) is not None} == BOTH


@pytest.mark.parametrize("name", sorted(BOTH))
def test_what_both_sides_do_alike_is_even(name: str) -> None:
    weights_A = left_less_right(name)
    assert weights_A is not None
    moved_A = np.zeros(len(ATTRIBUTES))
    for attribute, weight in CONTROLS[name].weights.items():
        moved_A[ATTRIBUTES.index(attribute)] = weight
    assert weights_A @ moved_A == pytest.approx(0)


def test_one_side_alone_is_all_that_is_done() -> None:
    weights_A = left_less_right("gaze_x")
    assert weights_A is not None
    left_eye_A = np.zeros(len(ATTRIBUTES))
    left_eye_A[ATTRIBUTES.index("eyeLookOutLeft")] = 1
    assert weights_A @ left_eye_A == CONTROLS["gaze_x"].weights["eyeLookOutLeft"]
    assert -weights_A[ATTRIBUTES.index("eyeLookInRight")] == CONTROLS["gaze_x"].weights["eyeLookInRight"]
