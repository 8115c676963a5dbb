"""A finished job in a real MLflow (SQLite): there once, however often it is logged."""

from pathlib import Path

import pytest

from liax.errors import UserError
from liax.tracking.client import connect
from liax.tracking.finished import log_finished


def test_a_job_is_logged_once(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/db/mlflow.db"
    report = tmp_path / "report.html"
    report.write_text("<!doctype html>")

    def log(job_id: str, clips: float, reasons: int = 0) -> None:
        log_finished(
            uri,
            "clips",
            job_id=job_id,
            name="faces",
            settings={"clip": {"size_px": 128}, **{f"setting_{n}": n for n in range(150)}},
            numbers={"clips": clips, **{f"outcomes/reason {n}": n for n in range(reasons)}},
            files=[str(report)],
            tags={"output": "it's here"},
        )

    log("a", 3.0)
    log("b", 5.0, reasons=1005)
    log("a", 4.0)
    client = connect(uri)
    experiment = client.get_experiment_by_name("clips").experiment_id
    runs = client.search_runs([experiment])
    assert sorted(run.data.metrics["clips"] for run in runs) == [4.0, 5.0]
    first, second = sorted(runs, key=lambda run: run.data.metrics["clips"])
    assert first.info.status == "FINISHED"
    assert first.info.run_name == "faces"
    assert first.data.params["clip.size_px"] == "128"
    assert len(first.data.params) == 151
    assert second.data.metrics["outcomes/reason 1004"] == 1004
    assert first.data.tags["output"] == "it's here"
    assert [artifact.path for artifact in client.list_artifacts(first.info.run_id)] == ["report.html"]


def test_a_server_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="no MLflow at"):
        log_finished(
            "http://127.0.0.1:9", "x", job_id="a", name="a", settings={}, numbers={"n": 1.0}, files=[], tags={}
        )
