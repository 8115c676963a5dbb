"""Models for tests of the page: one whose controls were "measured", with all statuses, and one without any."""

import hashlib
import json
from pathlib import Path

import torch

from liax.controls_file import CONTROLS_FILE, ControlsFile, MeasuredControl
from liax.model.config import preset
from liax.model.network import LiaX
from liax.model.weights import WEIGHTS_FILE, read_config, save_model
from tests.liax.atlas.copying_model import make_copying_model


def control(index: int, unit: str, span: float, status: str = "certified", **more: object) -> MeasuredControl:
    values = {"unit": unit, "meaning": "it moves", "status": status, "weights": {index: 1.0}, "error": 0.04 * span}
    curve = {"units": [-span, 0.0, span], "coefficients": [-3.0, 0.0, 3.0], "safe": (-span, 0.8 * span)}
    return MeasuredControl.model_validate(values | curve | more)


def make_measured_model(folder: Path) -> str:
    """A model that shows its source and bends it a little, with a hand-made `controls.json`."""
    make_copying_model(folder)
    sha256 = hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()
    controls = {
        "yaw": control(0, "deg", 20.0),
        "mouth_open": control(1, "share", 0.6, "approximate", reason="R² 0.91"),
        "blink_left": MeasuredControl(unit="share", meaning="", status="unavailable", reason="nothing moves it"),
    }
    file = ControlsFile(model_sha256=sha256, directions=read_config(str(folder)).directions, controls=controls)
    (folder / CONTROLS_FILE).write_text(json.dumps(file.model_dump(mode="json")))
    return str(folder)


def make_unmeasured_model(folder: Path) -> str:
    """A model of which nobody knows what its directions do."""
    torch.manual_seed(1)
    save_model(LiaX(preset("tiny")), folder)
    return str(folder)
