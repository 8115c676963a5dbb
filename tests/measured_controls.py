"""A `controls.json` with known numbers, for tests of what uses one."""

from pathlib import Path
from typing import Any

from liax.controls_file import CONTROLS_FILE, ControlsFile, MeasuredControl


def measured_control(**changes: Any) -> MeasuredControl:
    """Certified: direction 0, 10 degrees for a coefficient of 1, as far as ±20, safe between -15 and 18."""
    values: dict[str, Any] = {
        "unit": "deg",
        "meaning": "the head turns to its left",
        "status": "certified",
        "weights": {0: 1.0},
        "units": [-20.0, -10.0, 0.0, 10.0, 20.0],
        "coefficients": [-2.0, -1.0, 0.0, 1.0, 2.0],
        "safe": (-15.0, 18.0),
        "error": 0.8,
    }
    return MeasuredControl.model_validate(values | changes)


def controls_file(model_sha256: str = "0" * 64, directions: int = 20) -> ControlsFile:
    """Yaw moves pitch by a fifth, smile bends and opens the mouth, and blink_left cannot be done."""
    smile = {"unit": "share", "meaning": "the mouth smiles", "weights": {2: 1.0, 3: -0.5}, "safe": (-0.2, 0.6)}
    curve = {"units": [-0.2, 0.0, 0.2, 0.6], "coefficients": [-0.5, 0.0, 1.0, 2.0]}
    return ControlsFile(
        model_sha256=model_sha256,
        directions=directions,
        controls={
            "yaw": measured_control(cross_talk={"pitch": 0.2, "smile": 0.01}),
            "pitch": measured_control(weights={1: 1.0}, cross_talk={"yaw": -0.1}, meaning="the head looks up"),
            "smile": measured_control(
                **smile,
                **curve,
                status="approximate",
                reason="also moves mouth_open",
                error=0.08,
                cross_talk={"yaw": 4.0},
            ),
            "blink_left": MeasuredControl(
                unit="share",
                meaning="the subject's left eye closes",
                status="unavailable",
                reason="also closes the right eye",
            ),
        },
    )


def write_controls(folder: Path, model_sha256: str, directions: int = 20) -> Path:
    """The same as a file in a folder."""
    path = folder / CONTROLS_FILE
    path.write_text(controls_file(model_sha256, directions).model_dump_json(), encoding="utf-8")
    return path
