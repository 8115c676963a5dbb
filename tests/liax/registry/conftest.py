"""A training to register models from."""

import pytest

from liax.training.config import TrainConfig
from liax.training.loop import train
from liax.training.place import alone
from tests.moving_shapes import write_shapes


@pytest.fixture(scope="session")
def two_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two checkpoints of a tiny model, whose weights differ."""
    folder = tmp_path_factory.mktemp("two-checkpoints")
    config = TrainConfig.model_validate(
        {
            "shards": write_shapes(folder / "shards", clips=2),
            "output": str(folder / "run"),
            "run_on": "process",
            "batch": 1,
            "steps": 2,
            "model": {"preset": "tiny"},
            "loss": {"perceptual": "none"},
            "checkpoint": {"every_steps": 1},
            "tracking": {"uri": "none", "pictures": 1},
        }
    )
    train(config, alone(), lambda step, numbers: None)
    return f"{config.output}/checkpoints/00000001", f"{config.output}/checkpoints/00000002"
