"""What a training's starter notes for those who ship; the shipping itself is in `test_shipping.py`."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from liax.errors import StorageError, UserError
from liax.tracking import follower
from liax.tracking.follower import MlflowFollower, NoFollower, open_follower
from liax.tracking.note import read_note
from liax.training.config import TrainConfig
from liax.training.run_record import read_run


def configure(tmp_path: Path, uri: str, **changes: Any) -> TrainConfig:
    return TrainConfig.model_validate({"shards": "s", "output": str(tmp_path), "tracking": {"uri": uri}} | changes)


def test_no_tracking_still_marks_the_output(tmp_path: Path) -> None:
    opened = open_follower(configure(tmp_path, "none"), "set")
    assert isinstance(opened, NoFollower)
    opened.start()
    opened.finish("FINISHED")
    record = read_run(str(tmp_path))
    assert record is not None
    assert record.mlflow_run_id is None
    assert read_note(str(tmp_path)).ended == "FINISHED"  # so `liax track` can ship it all the same


def test_a_training_that_goes_on_is_the_same_training(tmp_path: Path) -> None:
    config = configure(tmp_path, "none", steps=10)
    open_follower(config, "set").finish("FINISHED")
    first = read_note(str(tmp_path))
    assert "\nsteps: 10\n" in (tmp_path / "train.yaml").read_text()
    open_follower(config, "set", trained=True)
    assert read_note(str(tmp_path)) == first
    open_follower(configure(tmp_path, "none", steps=20), "set")
    again = read_note(str(tmp_path))
    assert (again.training_id, again.ended, again.parameters["steps"]) == (first.training_id, None, "20")


def test_a_wrong_address_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not an MLflow address"):
        open_follower(configure(tmp_path / "out", "ftp://mlflow"), "set")
    assert not (tmp_path / "out").exists()


def test_without_mlflow_there_is_a_line_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert isinstance(open_follower(configure(tmp_path, "http://mlflow:5000"), "set"), NoFollower)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("MLflow is not installed here")
    assert f"`liax track {tmp_path} --tracking-uri http://mlflow:5000`" in line


def test_a_training_that_was_not_started_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "Shipping", None)
    MlflowFollower(str(tmp_path), "http://mlflow:5000").finish("FAILED")


def test_an_end_that_cannot_be_noted_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_follower(configure(tmp_path, "none"), "set")

    def away(*_: Any) -> None:
        raise StorageError("away")

    monkeypatch.setattr(follower, "note_ending", away)
    opened.finish("FAILED")
    assert "(away)" in capsys.readouterr().out
