"""A training of two steps in this process, for tests of what comes after one."""

from pathlib import Path
from typing import Any

from liax.training.config import TrainConfig
from liax.training.loop import train
from liax.training.place import alone
from tests.moving_shapes import write_shapes


def train_two_steps(folder: Path, *, clips: int = 2, validation: int = 1, **changes: Any) -> TrainConfig:
    """Train a tiny model on drawn shapes in `folder/shards`; its output is `folder/run`."""
    settings = {
        "shards": write_shapes(folder / "shards", clips=clips, validation=validation),
        "output": str(folder / "run"),
        "run_on": "process",
        "batch": 1,
        "steps": 2,
        "model": {"preset": "tiny"},
        "loss": {"perceptual": "none"},
        "tracking": {"uri": "none", "pictures": 1, "video_frames": 0},
    }
    config = TrainConfig.model_validate(settings | changes)
    train(config, alone(), lambda step, numbers: None)
    return config
