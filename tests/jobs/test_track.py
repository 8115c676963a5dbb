"""`liax track`: the command."""

from pathlib import Path

import pytest

from jobs.main import main
from liax.training.records import Records
from tests.liax.tracking.tracked import add_steps, assert_complete, make_output


def test_what_mlflow_misses_is_shipped_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    output = make_output(tmp_path / "run", uri, ended="FAILED")
    add_steps(Records(output, 0, 1), 1, 5)
    for _ in range(2):
        assert main(["track", "run"]) == 0  # the address is the training's own
    assert f"MLflow at {uri} has {output} up to step 5, as run " in capsys.readouterr().out
    assert assert_complete(uri, output, 5).info.status == "FAILED"


def test_a_training_that_has_not_ended_stays_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    output = make_output(tmp_path / "run", "http://127.0.0.1:9")
    add_steps(Records(output, 0, 1), 1, 5)
    assert main(["track", output, "--tracking-uri", uri]) == 0
    assert "the training has not ended" in capsys.readouterr().out
    assert assert_complete(uri, output, 5).info.status == "RUNNING"


@pytest.mark.parametrize(("output", "uri", "text"), [
    ("nothing", "sqlite:///mlflow.db", "is not a training's output"),
    ("run", "http://127.0.0.1:9", "no MLflow at http://127.0.0.1:9: Connection refused"),
    ("run", "somewhere", "'somewhere' is not an MLflow address"),
])  # fmt: skip
def test_bad_input_is_refused_in_a_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    output: str,
    uri: str,
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_output(tmp_path / "run", "sqlite:///mlflow.db")
    assert main(["track", output, "--tracking-uri", uri]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert text in line
