"""What a controls.json must be, to be used."""

import json
from pathlib import Path
from typing import Any

import pytest

from liax.controls_file import CONTROLS_FILE, ControlsFile, MeasuredControl, read_controls
from liax.errors import UserError

GOOD: dict[str, Any] = {
    "unit": "deg",
    "meaning": "the head turns to its left",
    "status": "certified",
    "weights": {0: 1.0},
    "units": [-20.0, 0.0, 20.0],
    "coefficients": [-2.0, 0.0, 2.0],
    "safe": (-18.0, 20.0),
    "r2": 0.98,
    "error": 0.7,
    "cross_talk": {"pitch": 0.01},
    "second": 0.9,
}


def test_a_good_one_is_read(tmp_path: Path) -> None:
    file = ControlsFile(model_sha256="a" * 64, directions=2, controls={"yaw": MeasuredControl.model_validate(GOOD)})
    path = tmp_path / CONTROLS_FILE
    path.write_text(json.dumps(file.model_dump(mode="json")))
    assert read_controls(str(path), "a" * 64) == file
    with pytest.raises(UserError, match="belongs to another model"):
        read_controls(str(path), "b" * 64)


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        ({"safe": (5.0, -5.0)}, "must go up, with 0 in it"),
        ({"safe": (5.0, 9.0)}, "must go up, with 0 in it"),
        ({"safe": (float("nan"), 5.0)}, "must be finite"),
        ({"safe": (-21.0, 5.0)}, "goes beyond its curve"),
        ({"safe": (-1.0, 21.0)}, "goes beyond its curve"),
        ({"unit": "radians"}, "its unit is 'radians'"),
        ({"cross_talk": {"pitch": float("inf")}}, "must be finite"),
        ({"r2": float("nan")}, "must be finite"),
        ({"error": -0.1}, "must be 0 or more"),
        ({"error": float("inf")}, "must be finite"),
        ({"second": 1.5}, "must be from -1 to 1"),
        ({"units": [0.0, -20.0, 20.0]}, "both ascending"),
        ({"units": [-20.0, 1.0, 20.0]}, "with 0 for 0"),
        ({"weights": {}}, "has no weights"),
        ({"weights": {0: float("nan")}}, "not finite"),
    ],
)
def test_what_cannot_be_is_refused(worse: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MeasuredControl.model_validate({**GOOD, **worse})


def test_an_unavailable_one_needs_no_curve_and_its_numbers_must_be_possible_all_the_same() -> None:
    nothing = {"unit": "share", "meaning": "the cheeks puff", "status": "unavailable", "reason": "nothing moves it"}
    assert MeasuredControl.model_validate(nothing).safe == (0, 0)
    with pytest.raises(ValueError, match="must go up"):
        MeasuredControl.model_validate({**nothing, "safe": (5.0, -5.0)})


def test_another_format_and_a_direction_that_there_is_not_are_refused() -> None:
    given = {"model_sha256": "a" * 64, "directions": 2, "controls": {"yaw": GOOD}}
    with pytest.raises(ValueError, match="format"):
        ControlsFile.model_validate({**given, "format": 2})
    moved = {**GOOD, "weights": {2: 1.0}}
    with pytest.raises(ValueError, match="a direction that there is not"):
        ControlsFile.model_validate({**given, "controls": {"yaw": moved}})
