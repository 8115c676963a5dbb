"""The process that ships, against real servers: killed, away, or silent."""

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from liax.tracking import follower as module
from liax.tracking.catch_up import catch_up
from liax.tracking.client import connect
from liax.tracking.follower import MlflowFollower
from liax.training.records import Records
from tests.liax.tracking.tracked import add_picture, add_steps, assert_complete, make_output, pictures_of
from tests.mlflow_server import MlflowServer, silent_server
from tests.ports import free_port

pytestmark = pytest.mark.server
PATIENCE_S = 300.0
"""For what takes seconds on a machine with nothing else to do."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("server"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture(autouse=True)
def _no_process_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(module, "_RESTART_S", 0.1)
    yield
    for process in shipping_processes():
        process.kill()
        pytest.fail(f"left behind: {process}")


def shipping_processes() -> list[psutil.Process]:
    """Children of this process that ship."""
    found = []
    for process in psutil.Process().children():
        try:
            if "liax.tracking.shipper" in process.cmdline():
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def tend_until(follower: MlflowFollower, step: int) -> None:
    """Do what the launcher does until MLflow has a step."""
    until_s = time.monotonic() + PATIENCE_S
    while follower._step < step:
        follower.tend()
        assert time.monotonic() < until_s, f"at step {follower._step} of {step}"
        time.sleep(0.05)


def in_a_starter_that_is_killed(output: str, uri: str, before: Callable[[MlflowFollower], object]) -> psutil.Process:
    """Start to ship in a process that is killed (-9) after `before`; returns the process that ships."""
    reading, writing = os.pipe()
    starter = os.fork()
    if starter == 0:
        try:
            os.close(reading)
            follower = MlflowFollower(output, uri)
            follower.start()
            before(follower)
            assert follower._shipping is not None
            assert follower._shipping._process is not None
            os.write(writing, str(follower._shipping._process.pid).encode())
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    os.close(writing)
    shipping = psutil.Process(int(os.read(reading, 100)))
    os.close(reading)
    os.waitpid(starter, 0)
    return shipping


def test_killed_at_random_moments_each_point_is_shipped_once(server: MlflowServer, tmp_path: Path) -> None:
    steps, moments = 2000, random.Random(5)
    output = make_output(tmp_path / "run", server.uri)
    records = Records(output, 0, 10)
    add_steps(records, 1, steps // 2)  # what there is to ship at once, so that it is killed while it ships
    add_picture(output, 1000)
    follower = MlflowFollower(output, server.uri)
    follower.start()
    killed = 0
    tend_until(follower, 1)
    for _ in range(6):
        until_s = time.monotonic() + moments.uniform(0, 1.5)
        while time.monotonic() < until_s:
            follower.tend()
            time.sleep(0.02)
        for process in shipping_processes():
            process.kill()
            killed += 1
    records.flush()
    records.begin_next(steps // 2)
    add_steps(records, steps // 2 + 1, steps)
    records.flush()
    tend_until(follower, steps // 2 + 1)
    # The training goes on from its last checkpoint, and does half of its steps again.
    again = Records(output, steps // 2, 10)
    add_steps(again, steps // 2 + 1, steps)
    again.flush()
    follower.finish("FINISHED", bounded=False)
    assert killed >= 3
    run = assert_complete(server.uri, output, steps)
    assert run.info.status == "FINISHED"
    assert len(pictures_of(server.uri, run.info.run_id)) == 1


def test_a_server_that_is_killed_and_comes_back_gets_everything(server: MlflowServer, tmp_path: Path) -> None:
    output = make_output(tmp_path / "run", server.uri)
    records = Records(output, 0, 10)
    add_steps(records, 1, 1000)
    follower = MlflowFollower(output, server.uri)
    follower.start()
    tend_until(follower, 1)
    server.kill()
    add_steps(records, 1001, 1500)
    follower.tend()
    server.start()
    follower.finish("FINISHED", bounded=False)
    assert assert_complete(server.uri, output, 1500).info.status == "FINISHED"


def test_a_server_that_was_away_all_the_time_gets_everything_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "END_S", PATIENCE_S)  # the shipper lets others go first, and may start slowly
    away = f"http://127.0.0.1:{free_port()}"
    output = make_output(tmp_path / "run", away)
    add_steps(Records(output, 0, 10), 1, 20)
    follower = MlflowFollower(output, away)
    follower.start()
    follower.finish("FINISHED")
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "liax track" in line]
    assert line.startswith("MLflow misses steps after 0 or how the run ended (no MLflow at ")
    assert line.endswith(f"`liax track {output} --tracking-uri {away}` ships what is missing")
    for _ in range(2):
        assert "up to step 20, as run" in catch_up(output, server.uri)
    assert assert_complete(server.uri, output, 20).info.status == "FINISHED"


def test_a_server_that_never_answers_holds_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3600")
    monkeypatch.setattr(module, "END_S", 1.0)
    with silent_server() as silent:
        output = make_output(tmp_path / "run", silent.uri)
        follower = MlflowFollower(output, silent.uri)
        follower.start()
        assert silent.called.wait(PATIENCE_S)
        add_steps(Records(output, 0, 1), 1, 5)
        follower.tend()
        follower.finish("FINISHED")
    assert "MLflow misses steps after 0 or how the run ended (it takes too long)" in capsys.readouterr().out


def test_when_the_starter_is_killed_the_rest_is_shipped_and_the_process_ends(
    server: MlflowServer, tmp_path: Path
) -> None:
    output = make_output(tmp_path / "run", server.uri)
    records = Records(output, 0, 1)
    add_steps(records, 1, 3)

    def more(follower: MlflowFollower) -> None:
        tend_until(follower, 3)
        add_steps(records, 4, 6)

    in_a_starter_that_is_killed(output, server.uri, more).wait(PATIENCE_S)
    assert assert_complete(server.uri, output, 6).info.status == "FAILED"


def test_when_the_starter_is_killed_a_process_that_hangs_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3600")
    monkeypatch.setattr(module, "END_S", 1.0)
    with silent_server() as silent:
        output = make_output(tmp_path / "run", silent.uri)
        shipping = in_a_starter_that_is_killed(output, silent.uri, lambda _: time.sleep(1))
        shipping.wait(PATIENCE_S)


def test_a_refusal_is_said_once_and_training_goes_on(
    server: MlflowServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = connect(server.uri)
    client.delete_experiment(client.create_experiment("closed"))
    output = make_output(tmp_path / "run", server.uri, experiment="closed")
    add_steps(Records(output, 0, 1), 1, 3)
    follower = MlflowFollower(output, server.uri)
    follower.start()
    until_s = time.monotonic() + PATIENCE_S
    while not follower._said:
        follower.tend()
        assert time.monotonic() < until_s
        time.sleep(0.05)
    follower.finish("FAILED")
    said = capsys.readouterr().out
    assert said.count("MLflow misses numbers for now") == 1
    assert said.count("MLflow misses steps after 0") == 1
    assert "experiment" in said


def test_a_process_that_cannot_be_started_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from liax.tracking import shipping

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(12, "Cannot allocate memory")

    output = make_output(tmp_path / "run", "sqlite:////nowhere.db")
    monkeypatch.setattr(shipping.subprocess, "Popen", full)
    follower = MlflowFollower(output, "sqlite:////nowhere.db")
    follower.start()
    for _ in range(10):
        follower.tend()
        time.sleep(0.05)
    follower.finish("FINISHED")
    said = capsys.readouterr().out
    assert "the process that ships to it cannot be started: Cannot allocate memory" in said
