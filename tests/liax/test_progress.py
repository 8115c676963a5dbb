import json

import pytest

from liax.progress import PROGRESS_MARK, SAY_MARK, Progress, say


def test_marked_lines_for_another_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LIAX_PROGRESS", "json")
    with Progress(3, "crop", "video") as progress:
        for _ in range(3):
            progress.advance(loss=0.5)
    say("done: ä")
    lines = capsys.readouterr().out.splitlines()
    states = [json.loads(line.removeprefix(PROGRESS_MARK)) for line in lines if line.startswith(PROGRESS_MARK)]
    assert states[0]["done"] == 0
    assert states[-1] == {"label": "crop", "done": 3, "total": 3, "unit": "video", "numbers": {"loss": 0.5}}
    assert json.loads(lines[-1].removeprefix(SAY_MARK)) == "done: ä"


def test_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(2, "crop", "video") as progress:
        progress.advance(2)
    assert "2/2" in capsys.readouterr().err
