"""A whole training in one process, from its configuration to MLflow."""

from pathlib import Path

import pytest

from jobs import train
from liax.tracking.mlflow_log import connect
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
