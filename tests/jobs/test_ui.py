"""The command that serves the page: what it refuses before anything is loaded."""

import socket
import sys
from pathlib import Path

import pytest

from jobs.main import main
from liax.ui.config import Limits


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "no model: give --model or set LIAX_MODEL"),
        (["--model", "m", "--port", "70000"], "there is no port 70000"),
        (["--model", "m", "--port", "x"], "invalid int value"),
        (["--model", "m", "--max-mb", "0"], "--max-mb 0 leaves nothing to be done"),
        (["--model", "m", "--max-seconds", "nan"], "--max-seconds nan leaves nothing"),
        (["--model", "m", "--model", "n", "--controls", "c.json"], "--controls is for one model"),
        (["--model", "m", "--any-model", "--controls", "c.json"], "--controls is for one model"),
        (["--model", "m", "--max-waiting", "31"], "--max-waiting 31 is too many: give at most 30"),
        (["--model", "m", "--tracking-uri", "u"], "--tracking-uri is for models of the registry"),
        (["--model", "m", "--share"], "unrecognized arguments: --share"),
    ],
)
def test_wrong_command_lines(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ui", *options]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_without_gradio(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["ui", "--model", "m"]) == 2
    assert capsys.readouterr().err == "error: the page needs Gradio: pip install 'liax[ui]'\n"


def test_no_such_model_no_atlas_and_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gradio", reason="needs Gradio: pip install 'liax[ui]'")
    assert main(["ui", "--model", str(tmp_path), "--port", "0"]) == 2
    assert f"no model in {tmp_path}: give a folder" in capsys.readouterr().err
    assert main(["ui", "--model", str(tmp_path), "--atlas", str(tmp_path)]) == 2
    assert f"no atlas in {tmp_path}: give a folder with index.html" in capsys.readouterr().err
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["ui", "--model", str(tmp_path), "--port", str(port)]) == 2
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use; give --port" in capsys.readouterr().err
    assert main(["ui", "--model", str(tmp_path), "--host", "no.such.host.invalid", "--port", "0"]) == 2
    assert "there is no address no.such.host.invalid" in capsys.readouterr().err


def test_help_says_the_limits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["ui", "--help"])
    shown = capsys.readouterr().out
    assert "this machine only" in shown
    assert f"(default: {Limits().file_mb})" in shown
    assert "example:\n  liax ui --model" in shown
