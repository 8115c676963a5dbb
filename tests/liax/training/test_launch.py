"""A whole training in one process, from its configuration to MLflow."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jobs import train
from liax.errors import StorageError
from liax.tracking.address import tracking_uri
from liax.tracking.client import connect
from liax.training import loop
from liax.training.records import read_records
from liax.training.run import read_run
from tests.moving_shapes import write_shapes


def test_training_is_tracked_and_the_same_command_again_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shapes(tmp_path / "shards", clips=2)
    monkeypatch.chdir(tmp_path)
    command = ["shards=shards", "output=out", "run_on=process", "model.preset=tiny", "batch=2", "steps=3"]
    assert train.run([*command, "tracking.pictures=1"]) == 0
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
    before = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*") if p.is_file() and "db" not in p.name)
    assert train.run([*command, "tracking.pictures=1"]) == 0
    after = sorted((p, p.stat().st_mtime_ns) for p in tmp_path.rglob("*") if p.is_file() and "db" not in p.name)
    assert after == before
    assert "trained already" in capsys.readouterr().out


def test_what_a_finished_run_could_not_write_or_ship_comes_with_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_shapes(tmp_path / "shards", clips=2)
    monkeypatch.chdir(tmp_path)
    command = ["shards=shards", "output=out", "run_on=process", "model.preset=tiny", "batch=2", "steps=2"]
    client = connect(tracking_uri(None))
    log_batch = type(client).log_batch

    def away(self: Any, run_id: str, metrics: Sequence[Any] = (), **others: Any) -> None:
        if metrics:
            raise error
        log_batch(self, run_id, **others)

    with monkeypatch.context() as patch:
        error: Exception = StorageError("away")
        patch.setattr(type(client), "log_batch", away)
        assert train.run([*command, "tracking.pictures=1"]) == 0
        error = RuntimeError("an error of some library")
        assert train.run([*command, "tracking.pictures=1"]) == 0
    assert "MLflow misses steps after 0 or how the run ended (away)" in (said := capsys.readouterr().out)
    assert "(an error of some library)" in said
    record = read_run("out")
    assert record is not None
    assert client.get_run(record.mlflow_run_id).info.status == "RUNNING"
    whole = json.loads((tmp_path / "out" / "summary.json").read_text())
    for name in ("summary.json", "metrics.jsonl"):
        (tmp_path / "out" / name).unlink()
    assert train.run([*command, "tracking.pictures=1"]) == 0
    assert client.get_run(record.mlflow_run_id).info.status == "FINISHED"
    assert [point.step for point in client.get_metric_history(record.mlflow_run_id, "l1")] == [1, 2]
    assert len((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()) == 2
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == whole | {"seconds": {}}


def test_whatever_ends_a_training_ends_its_run_in_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_shapes(tmp_path / "shards", clips=2)
    monkeypatch.chdir(tmp_path)

    def leave(*_: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(loop, "save_checkpoint", leave)
    with pytest.raises(SystemExit):
        train.run(["shards=shards", "output=out", "run_on=process", "model.preset=tiny", "batch=2", "steps=1"])
    record = read_run("out")
    assert record is not None
    assert connect(tracking_uri(None)).get_run(record.mlflow_run_id).info.status == "FAILED"
