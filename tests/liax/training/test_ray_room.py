"""Machines that are lost while training runs are missed aloud. What is required at the start: `test_ray_training`."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import ray

from liax.training import ray_room
from liax.training.config import TrainConfig
from tests.checkpoints import configure


def node(cpus: float, alive: bool = True) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"CPU": cpus}}


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Two, of which one is lost by taking it from the list."""
    listed = [node(2), node(3), node(64, alive=False)]
    monkeypatch.setattr(ray, "nodes", lambda: list(listed))
    monkeypatch.setattr(ray_room, "LOOK_EVERY_S", 0.01)
    return listed


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return configure(tmp_path).model_copy(update={"workers": 2, "cpus_per_worker": 2, "run_on": "ray"})


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(ray_room, "say", lines.append)
    return lines


def wait_for(ready: Callable[[], bool]) -> None:
    while not ready():
        time.sleep(0.01)


def test_a_loss_and_its_end_are_told_once(
    machines: list[dict[str, Any]], config: TrainConfig, heard: list[str]
) -> None:
    with ray_room.missing_machines_told(config):
        lost = machines.pop(0)
        wait_for(lambda: len(heard) == 1)
        time.sleep(0.1)  # it has looked again
        machines.append(lost)
        wait_for(lambda: len(heard) == 2)
    assert heard[0].startswith(
        "training waits for machines: it needs 2 workers of 2 CPUs each and the Ray cluster has room for 1; add"
    )
    assert heard[1:] == ["there is room for the workers again"]


def test_a_machine_that_can_be_spared_is_not_missed(
    machines: list[dict[str, Any]], config: TrainConfig, heard: list[str]
) -> None:
    with ray_room.missing_machines_told(config.model_copy(update={"least_workers": 1})):
        del machines[0]
        time.sleep(0.2)
    assert heard == []


def test_a_ray_that_does_not_answer_is_asked_again(
    machines: list[dict[str, Any]], config: TrainConfig, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def nodes() -> list[dict[str, Any]]:
        asked.append(True)
        if len(asked) == 1:
            raise ray.exceptions.RpcError("away")
        return [node(1)]

    monkeypatch.setattr(ray, "nodes", nodes)
    with ray_room.missing_machines_told(config):
        wait_for(lambda: bool(heard))


def test_it_ends_with_the_training(machines: list[dict[str, Any]], config: TrainConfig) -> None:
    with pytest.raises(KeyboardInterrupt), ray_room.missing_machines_told(config):
        raise KeyboardInterrupt
    assert "count-machines" not in [thread.name for thread in threading.enumerate()]
