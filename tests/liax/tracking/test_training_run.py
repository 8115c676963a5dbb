"""A training's files in a real MLflow (SQLite): each point once, wherever the shipping broke off."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liax import storage
from liax.errors import UserError
from liax.tracking.client import connect
from liax.tracking.training_run import MARK, TrainingRun
from liax.training.records import Records, records_after
from liax.training.run_record import read_run
from tests.liax.tracking.tracked import add_picture, add_steps, assert_complete, make_output, pictures_of


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/db/mlflow.db"


def test_a_run_has_all_that_the_training_left(uri: str, tmp_path: Path) -> None:
    output = make_output(tmp_path / "it's here", uri, experiment="tests")
    storage.write_bytes(f"{output}/train.yaml", b"steps: 2")
    add_steps(Records(output, 0, 1), 1, 2)
    add_picture(output, 2)
    opened = TrainingRun(output, uri)
    opened.ship()
    opened.close("FINISHED")
    opened.ship_files()
    client = connect(uri)
    run = client.get_run(opened.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "it's here"
    assert client.get_experiment(run.info.experiment_id).name == "tests"
    assert run.data.params["loss.sparsity_weight"] == "0.01"
    assert run.data.params["output"] == output
    assert run.data.tags["set_id"] == "set"
    assert run.data.tags["layout"] == "1 × cpu on ray, plain"
    assert set(run.data.tags) >= {"preset", "hostname", "output", "mlflow.note.content"}
    assert run.data.metrics[MARK] == 2
    assert len(pictures_of(uri, opened.run_id)) == 1
    files = [a.path for folder in (None, "data", "videos") for a in client.list_artifacts(opened.run_id, folder)]
    assert {"train.yaml", "data/report.html", "data/summary.json", "videos/00000002.mp4"} <= set(files)
    record = read_run(output)
    assert record is not None
    assert (record.tracking_uri, record.mlflow_run_id) == (uri, opened.run_id)
    assert run.info.artifact_uri.startswith(Path(uri.removeprefix("sqlite:///")).parent.as_uri())


def test_steps_that_are_done_again_are_not_shipped_again(uri: str, tmp_path: Path) -> None:
    output = make_output(tmp_path / "run", uri)
    records = Records(output, 0, 1)
    add_steps(records, 1, 2)
    records.begin_next(2)
    add_steps(records, 3, 5)
    opened = TrainingRun(output, uri)
    opened.ship()
    # The workers die, and another shipper goes on with a training that went on from a checkpoint of step 2.
    again = Records(output, 2, 1)
    again.add(3, {"l1": 300.0})
    opened.ship()
    add_steps(again, 4, 7)
    for run in (opened, TrainingRun(output, uri)):
        run.ship()
    points = connect(uri).get_metric_history(opened.run_id, "l1")
    assert [(p.step, p.value) for p in points] == [(step, float(step)) for step in range(1, 8)]


@pytest.mark.parametrize("taken", [True, False], ids=["answer-lost", "never-came"])
@pytest.mark.parametrize("call", ["create_run", "log_batch", "log_image", "log_artifact", "set_terminated"])
def test_wherever_it_breaks_off_everything_is_there_once(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, taken: bool
) -> None:
    output = make_output(tmp_path / "run", uri, experiment=f"{call}-{taken}")
    add_steps(Records(output, 0, 1), 1, 1200)  # three messages
    add_picture(output, 1000)
    add_picture(output, 1200)
    kind, calls = type(connect(uri)), 0
    original: Callable[..., Any] = getattr(kind, call)

    def breaking(self: Any, *arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % 2 and not taken:
            raise ConnectionError("never came")
        answer = original(self, *arguments, **named)
        if calls % 2:
            raise ConnectionError("answer lost")
        return answer

    monkeypatch.setattr(kind, call, breaking)
    failures = 0
    for _ in range(20):
        try:
            run = TrainingRun(output, uri)
            run.ship()
            run.close("FINISHED")
            run.ship_files()
            break
        except ConnectionError:
            failures += 1
    assert failures
    run_there = assert_complete(uri, output, 1200)
    assert run_there.info.status == "FINISHED"
    assert len(pictures_of(uri, run_there.info.run_id)) == 2
    assert len(connect(uri).list_artifacts(run_there.info.run_id, "videos")) == 2


def test_two_runs_that_began_at_once_become_one(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = make_output(tmp_path / "run", uri)
    add_steps(Records(output, 0, 1), 1, 3)
    kind = type(connect(uri))
    original: Callable[..., Any] = kind.create_run

    def twice(self: Any, *arguments: Any, **named: Any) -> Any:
        original(self, *arguments, **named)
        return original(self, *arguments, **named)

    monkeypatch.setattr(kind, "create_run", twice)
    run = TrainingRun(output, uri)
    run.ship()
    run.close("FAILED")
    assert assert_complete(uri, output, 3).info.status == "FAILED"


def test_an_output_that_was_removed_and_trained_again_is_another_run(uri: str, tmp_path: Path) -> None:
    runs = set()
    for _ in range(2):
        output = make_output(tmp_path / "run", uri)
        add_steps(Records(output, 0, 1), 1, 3)
        run = TrainingRun(output, uri)
        run.ship()
        runs.add(run.run_id)
        for name in ("run.json", "tracking.json"):
            (tmp_path / "run" / name).unlink()
    assert len(runs) == 2


def test_a_run_that_was_deleted_is_shipped_anew(uri: str, tmp_path: Path) -> None:
    output = make_output(tmp_path / "run", uri)
    add_steps(Records(output, 0, 1), 1, 3)
    first = TrainingRun(output, uri)
    first.ship()
    connect(uri).delete_run(first.run_id)
    second = TrainingRun(output, uri)
    second.ship()
    assert second.run_id != first.run_id
    assert_complete(uri, output, 3)


def test_an_end_is_noted_again_only_with_something_new(uri: str, tmp_path: Path) -> None:
    output = make_output(tmp_path / "run", uri, ended="FINISHED")
    records = Records(output, 0, 1)
    add_steps(records, 1, 3)
    first = TrainingRun(output, uri)
    first.ship()
    first.close("FINISHED")
    ended_ms = connect(uri).get_run(first.run_id).info.end_time
    second = TrainingRun(output, uri)
    second.mark_running()
    second.ship()
    second.close("FINISHED")
    info = connect(uri).get_run(first.run_id).info
    assert (info.status, info.end_time) == ("FINISHED", ended_ms)
    make_output(tmp_path / "run", uri)  # more steps are wanted
    TrainingRun(output, uri).mark_running()
    assert connect(uri).get_run(first.run_id).info.status == "RUNNING"


def test_numbers_that_are_none_are_shipped_too(uri: str, tmp_path: Path) -> None:
    output = make_output(tmp_path / "run", uri)
    records = Records(output, 0, 1)
    records.add(1, {"l1": math.nan, "loss": math.inf})
    records.flush()
    for _ in range(2):
        run = TrainingRun(output, uri)
        run.step = 0  # as if MLflow did not have the mark yet
        run.ship()
    (point,) = connect(uri).get_metric_history(run.run_id, "l1")
    assert math.isnan(point.value)
    assert len(connect(uri).get_metric_history(run.run_id, "loss")) == 1


def test_a_point_has_the_time_of_its_step(uri: str, tmp_path: Path) -> None:
    output = make_output(tmp_path / "run", uri)
    add_steps(Records(output, 0, 1), 1, 2)
    run = TrainingRun(output, uri)
    run.ship()
    points = connect(uri).get_metric_history(run.run_id, "l1")
    assert [p.timestamp for p in points] == [record.time_ms for record in records_after(output, 0)]


def test_long_settings_are_cut(uri: str, tmp_path: Path) -> None:
    long = tmp_path / "/".join(["long" * 50] * 3) / "run"
    assert len(os.fspath(long)) > 500
    output = make_output(long, uri)
    assert connect(uri).get_run(TrainingRun(output, uri).run_id).data.params["output"] == output


def test_what_is_no_output_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a training's output"):
        TrainingRun(str(tmp_path), uri)
