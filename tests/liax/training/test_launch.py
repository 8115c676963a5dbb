"""A whole training in one process, from its configuration to MLflow."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jobs import track, train
from liax.errors import UserError
from liax.tracking import follower
from liax.tracking.address import tracking_uri
from liax.tracking.client import connect
from liax.training import loop
from liax.training.config import TrainConfig
from liax.training.launch import with_absolute_names
from liax.training.records import read_records
from liax.training.run_record import read_run
from tests.conftest import ROOT
from tests.mlflow_server import silent_server
from tests.moving_shapes import write_shapes
from tests.ports import free_port

COMMAND = ["shards=shards", "output=out", "run_on=process", "model.preset=tiny", "batch=2", "tracking.pictures=1"]
COMMAND += ["loss.perceptual=none"]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the shipping process takes its time to load."""
    monkeypatch.setattr(follower, "END_S", 300.0)


def test_training_is_tracked_and_the_same_command_again_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shapes(tmp_path / "shards", clips=2)
    monkeypatch.chdir(tmp_path)
    command = [*COMMAND, "steps=3"]
    assert train.run(command) == 0
    record = read_run("out")
    assert record is not None
    assert record.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    client = connect(record.tracking_uri)
    run = client.get_run(record.mlflow_run_id)
    assert run.info.status == "FINISHED"
    points = client.get_metric_history(record.mlflow_run_id, "l1")
    assert [(p.step, p.value) for p in points] == [(step, numbers["l1"]) for step, numbers in read_records("out")]
    assert len(points) == 3
    assert client.list_artifacts(record.mlflow_run_id, "images")
    assert "train.yaml" in [artifact.path for artifact in client.list_artifacts(record.mlflow_run_id)]
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*") if p.is_file() and "db" not in p.name)
    assert train.run(command) == 0
    after = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*") if p.is_file() and "db" not in p.name)
    assert after == before
    assert "trained already" in capsys.readouterr().out


def test_without_mlflow_training_ends_well_and_everything_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shapes(tmp_path / "shards", clips=2)
    monkeypatch.chdir(tmp_path)
    away, there = f"http://127.0.0.1:{free_port()}", tracking_uri(None)
    command = [*COMMAND, "steps=2"]
    assert train.run([*command, f"tracking.uri={away}"]) == 0
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if "liax track" in line]
    assert line.startswith("MLflow misses steps after 0 or how the run ended (no MLflow at ")
    assert line.endswith(f"`liax track {tmp_path}/out --tracking-uri {away}` ships what is missing")
    record = read_run("out")
    assert record is not None
    assert record.mlflow_run_id is None
    assert track.run(["out", "--tracking-uri", there]) == 0
    record = read_run("out")
    assert record is not None
    client = connect(there)
    assert client.get_run(record.mlflow_run_id).info.status == "FINISHED"
    assert [point.step for point in client.get_metric_history(record.mlflow_run_id, "l1")] == [1, 2]
    # A run whose last process ended before it could write these.
    whole = json.loads((tmp_path / "out" / "summary.json").read_text())
    for name in ("summary.json", "metrics.jsonl"):
        (tmp_path / "out" / name).unlink()
    # The same command ships as well, here to another MLflow.
    other = tracking_uri("sqlite:///other.db")
    assert train.run([*command, f"tracking.uri={other}"]) == 0
    record = read_run("out")
    assert record is not None
    assert connect(other).get_run(record.mlflow_run_id).info.status == "FINISHED"
    assert [p.step for p in connect(other).get_metric_history(record.mlflow_run_id, "l1")] == [1, 2]
    assert len((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()) == 2
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == whole | {"seconds": {}}


def test_a_server_that_never_answers_does_not_hold_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shapes(tmp_path / "shards", clips=2)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3600")
    monkeypatch.setattr(follower, "END_S", 1.0)
    finish = follower.MlflowFollower.finish

    with silent_server() as silent:

        def finish_while_it_hangs(*arguments: Any, **named: Any) -> None:
            assert [step for step, _ in read_records("out")] == [1, 2]
            assert silent.called.wait(300)
            finish(*arguments, **named)

        monkeypatch.setattr(follower.MlflowFollower, "finish", finish_while_it_hangs)
        assert train.run([*COMMAND, "steps=2", f"tracking.uri={silent.uri}"]) == 0
    said = capsys.readouterr().out
    assert "MLflow misses steps after 0 or how the run ended (it takes too long)" in said
    assert "trained 2 steps" in said


def test_the_launcher_never_loads_mlflow(tmp_path: Path) -> None:
    write_shapes(tmp_path / "shards", clips=2)
    command = [*COMMAND, "steps=1", f"shards={tmp_path}/shards", f"output={tmp_path}/out"]
    command.append(f"tracking.uri=sqlite:///{tmp_path}/mlflow.db")
    code = f"from jobs import train; import sys; train.run({command}); print('mlflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=500)
    assert done.stdout.splitlines()[-1] == "False", done.stderr


def test_an_address_that_is_none_is_refused_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shapes(tmp_path / "shards", clips=2)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="is not an MLflow address"):
        train.run([*COMMAND, "steps=1", "tracking.uri=somewhere"])
    assert not (tmp_path / "out").exists()


def test_workers_elsewhere_are_told_where_the_weights_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("LIAX_VGG19", "vgg.pth")

    def told(**loss: str) -> str | None:
        config = TrainConfig.model_validate({"shards": "x", "output": "y", "loss": loss})
        assert with_absolute_names(config).identity("set") == config.identity("set")
        return with_absolute_names(config).loss.perceptual_weights

    assert told() == f"{tmp_path}/vgg.pth"
    assert told(perceptual_weights="other.pth") == f"{tmp_path}/other.pth"
    assert told(perceptual="none") is None
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")  # whose machines may have files of their own
    assert told() is None
    monkeypatch.setenv("LIAX_VGG19", "https://example.org/vgg.pth")
    assert told() == "https://example.org/vgg.pth"
    monkeypatch.delenv("LIAX_VGG19")
    assert told() is None


def test_whatever_ends_a_training_ends_its_run_in_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shapes(tmp_path / "shards", clips=2)
    monkeypatch.chdir(tmp_path)

    def leave(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(loop, "gan_step", leave)
    with pytest.raises(SystemExit):
        train.run([*COMMAND, "steps=1"])
    record = read_run("out")
    assert record is not None
    assert connect(tracking_uri(None)).get_run(record.mlflow_run_id).info.status == "FAILED"
