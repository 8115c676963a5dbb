"""Two workers of Ray Train with DeepSpeed: the same curve as one process, whatever dies."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from liax import ray_session
from liax.errors import JobError, UserError
from liax.training.config import TrainConfig
from liax.training.loop import train
from liax.training.place import alone
from liax.training.ray_trainer import RayBoard, require_resources, train_on_ray
from tests.moving_shapes import write_shapes

STEPS = 6


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shapes(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    with ray_session.session(num_cpus=2):
        yield


def configure(shapes: str, output: Path, **changes: Any) -> TrainConfig:
    values: dict[str, Any] = {
        "shards": shapes,
        "output": str(output),
        "workers": 2,
        "engine": "deepspeed",
        "zero_stage": 2,
        "batch": 8,
        "steps": STEPS,
        "model": {"preset": "tiny"},
        "loss": {"adversarial_start_step": 2, "r1_every": 2},
        "checkpoint": {"every_steps": 2},
        "tracking": {"every_steps": 1, "pictures": 1},
    }
    return TrainConfig.model_validate(values | changes)


def curve(output: Path) -> list[float]:
    return [json.loads(line)["l1"] for line in (output / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_killed_worker_costs_nothing(ray: None, shapes: str, tmp_path: Path) -> None:
    config = configure(shapes, tmp_path / "two")
    killed: list[int] = []
    thread = threading.Thread(target=kill_one_worker, args=(tmp_path / "two" / "checkpoints" / "latest", killed))
    thread.start()
    board = RayBoard()
    train_on_ray(config, board)
    thread.join()
    assert len(killed) == 1
    assert board.read().step == STEPS
    one = configure(shapes, tmp_path / "one", workers=1, engine="plain", zero_stage=None, run_on="process")
    train(one, alone(), lambda step, numbers: None)
    assert curve(tmp_path / "two") == pytest.approx(curve(tmp_path / "one"), rel=3e-2)


@pytest.mark.slow
def test_an_error_that_would_repeat_is_told_once(ray: None, shapes: str, tmp_path: Path) -> None:
    wild = {"generator": {"lr": 1e30, "betas": (0.0, 0.99)}}
    with pytest.raises(JobError, match="not finite"):
        train_on_ray(configure(shapes, tmp_path, optimizer=wild), RayBoard())


def test_too_few_processors_are_refused(ray: None, shapes: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs 4 CPUs"):
        require_resources(configure(shapes, tmp_path, workers=4))


def kill_one_worker(checkpoint: Path, killed: list[int]) -> None:
    """Once there is a checkpoint, kill -9 one of this test's own training workers."""
    stop = threading.Event()
    while not checkpoint.exists():
        stop.wait(0.05)
    for process in psutil.Process().children(recursive=True):
        if "RayTrainWorker" in " ".join(process.cmdline()):
            os.kill(process.pid, signal.SIGKILL)
            killed.append(process.pid)
            return
