"""Two workers of Ray Train with DeepSpeed: the same curve as one process, whatever dies."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from liax import ray_session, storage
from liax.config import to_yaml
from liax.errors import JobError, UserError
from liax.tracking.client import connect
from liax.training.checkpoint import latest_checkpoint
from liax.training.config import TrainConfig
from liax.training.loop import train
from liax.training.place import alone
from liax.training.ray_room import require_resources
from liax.training.ray_trainer import RayBoard, train_on_ray
from liax.training.run import read_run
from tests.conftest import ROOT
from tests.job_runs import command, kill
from tests.moving_shapes import write_shapes

STEPS = 6
ONE: dict[str, Any] = {"workers": 1, "engine": "plain", "zero_stage": None, "batch": 4}


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
        "loss": {"perceptual": "none", "adversarial_start_step": 2, "r1_every": 2},
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
    thread = threading.Thread(
        target=kill_one, args=("RayTrainWorker", tmp_path / "two" / "checkpoints" / "latest", killed)
    )
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
def test_workers_that_die_before_any_new_checkpoint_end_the_run_in_a_line(
    ray: None, shapes: str, tmp_path: Path
) -> None:
    config = configure(shapes, tmp_path, **ONE, max_failures=1, steps=1000, checkpoint={"every_steps": 1000})
    killed: list[int] = []
    times_s = [0.0]

    def again() -> bool:
        """Whether numbers were written since the last kill."""
        numbers = tmp_path / "metrics" / "00000000.jsonl"
        if len(times_s) == 3 or not numbers.exists() or numbers.stat().st_mtime <= times_s[-1]:
            return False
        times_s.append(time.time() + 1)  # more than clocks of files are behind
        return True

    with killing(again, killed), pytest.raises(JobError) as error:
        train_on_ray(config, RayBoard())
    assert len(killed) == 2
    assert str(error.value).startswith(
        "training workers failed 2 times, with no new checkpoint since the start (max_failures=1): "
    )
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_run_that_comes_further_survives_more_failures(ray: None, shapes: str, tmp_path: Path) -> None:
    config = configure(shapes, tmp_path, **ONE, max_failures=1, steps=100, checkpoint={"every_steps": 5})
    killed: list[int] = []
    beyond: list[int] = []

    def further() -> bool:
        """Whether there is a new checkpoint since the last kill."""
        saved = latest_checkpoint(config.output)
        if len(beyond) == 3 or saved is None or saved.state.step <= max(beyond, default=0):
            return False
        beyond.append(saved.state.step + 5)  # the next checkpoint may be saved before the kill
        return True

    board = RayBoard()
    with killing(further, killed):
        train_on_ray(config, board)
    assert len(killed) == 3
    assert board.read().step == 100


@pytest.mark.slow
def test_an_error_that_would_repeat_is_told_once(ray: None, shapes: str, tmp_path: Path) -> None:
    wild = {"generator": {"lr": 1e30, "betas": (0.0, 0.99)}}
    with pytest.raises(JobError, match="not finite"):
        train_on_ray(configure(shapes, tmp_path, optimizer=wild, faults={"skipped_in_a_row": 2}), RayBoard())


@pytest.mark.slow
def test_ctrl_c_stops_the_run_and_says_so(shapes: str, tmp_path: Path) -> None:
    plain = {"workers": 1, "engine": "plain", "zero_stage": None, "batch": 2, "steps": 100_000}
    config = configure(shapes, tmp_path / "out", **plain, tracking={"uri": f"sqlite:///{tmp_path}/mlflow.db"})
    (tmp_path / "train.yaml").write_text(to_yaml(config))
    command = [sys.executable, "-m", "jobs.train", "--config", str(tmp_path / "train.yaml")]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            wait_for(tmp_path / "out" / "checkpoints" / "latest")
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=120)[1]
        finally:
            process.kill()
    assert process.returncode == 130, said
    record = read_run(config.output)
    assert record is not None
    assert connect(str(record.tracking_uri)).get_run(record.mlflow_run_id).info.status == "FAILED"


def test_a_lost_board_keeps_what_was_read(ray: None) -> None:
    from ray import kill

    board = RayBoard()
    board.show(3, {"l1": 0.5})
    assert board.read().step == 3
    kill(board._actor)
    board.fail("nobody hears this")
    assert (board.read().step, board.read().failure) == (3, None)


def test_too_few_processors_are_refused(ray: None, shapes: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="room for 2"):
        require_resources(configure(shapes, tmp_path, workers=4))


def test_the_fewest_workers_must_have_room(ray: None, shapes: str, tmp_path: Path) -> None:
    require_resources(configure(shapes, tmp_path, workers=4, batch=16, least_workers=2))
    with pytest.raises(UserError, match="needs 3 workers of 1 CPU each and the Ray cluster has room for 2"):
        require_resources(configure(shapes, tmp_path, workers=4, batch=48, least_workers=3))


def test_decoding_needs_cores_of_its_own(ray: None, shapes: str, tmp_path: Path) -> None:
    require_resources(configure(shapes, tmp_path, workers=1, data={"ingest": "ray"}))
    with pytest.raises(UserError, match="needs 2 cores beside those that train, and the Ray cluster has 2 in all"):
        require_resources(configure(shapes, tmp_path, data={"ingest": "ray"}))


def test_a_machine_with_other_folders_is_named(shapes: str, tmp_path: Path) -> None:
    from liax.training.ray_worker import mark_file, require_shared

    config = configure(shapes, tmp_path)
    with pytest.raises(UserError, match=f"output {tmp_path} is not the same folder on node far: use a folder that all"):
        require_shared(config, "mine", "far")
    storage.write_bytes(mark_file(config.output), b"of a training before")
    with pytest.raises(UserError, match="not the same folder on node far"):
        require_shared(config, "mine", "far")
    storage.write_bytes(mark_file(config.output), b"mine")
    require_shared(config, "mine", "far")
    with pytest.raises(UserError, match="the shards /nowhere are not on node far"):
        require_shared(config.model_copy(update={"shards": "/nowhere"}), "mine", "far")
    require_shared(config.model_copy(update={"shards": "s3://bucket/a", "output": "s3://bucket/b"}), "mine", "far")


@pytest.mark.slow
def test_a_lost_controller_is_told_in_a_line(ray: None, shapes: str, tmp_path: Path) -> None:
    thread = threading.Thread(target=kill_one, args=("TrainController", tmp_path / "checkpoints" / "latest", []))
    thread.start()
    with pytest.raises(JobError, match="the same command continues") as error:
        train_on_ray(configure(shapes, tmp_path, steps=1000), RayBoard())
    thread.join()
    assert "\n" not in str(error.value)


def wait_for(file: Path) -> None:
    """Return when there is such a file."""
    for _ in range(6000):
        if file.exists():
            return
        time.sleep(0.05)
    raise TimeoutError(f"no {file} within five minutes")


@contextmanager
def killing(due: Callable[[], bool], killed: list[int]) -> Iterator[None]:
    """Kill -9 a training worker whenever it is due, each process once."""
    done = threading.Event()

    def kill() -> None:
        while not done.wait(0.05):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if process.pid not in killed and "RayTrainWorker" in " ".join(process.cmdline()) and due():
                        process.kill()
                        killed.append(process.pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def kill_one(name: str, checkpoint: Path, killed: list[int]) -> None:
    """Once there is a checkpoint, kill -9 one of this test's own processes of a name."""
    wait_for(checkpoint)
    for process in psutil.Process().children(recursive=True):
        if name in command(process.pid) and kill(process.pid):
            killed.append(process.pid)
            return
