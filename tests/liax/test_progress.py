import json

import pytest

from liax.progress import PROGRESS_MARK, SAY_MARK, Progress, say, watched


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


class Seen:
    """Keeps what it is told; stops the work at the second unit of something of three."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int | None, str]] = []
        self.lines: list[str] = []

    def advanced(self, label: str, done: int, total: int | None, unit: str) -> None:
        self.steps.append((label, done, total, unit))
        if total == 3 and done == 2:
            raise ValueError("enough")

    def told(self, text: str) -> None:
        self.lines.append(text)


def test_watched_work_prints_nothing_and_can_be_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    seen = Seen()

    def work() -> None:
        with watched(seen), Progress(3, "crop", "video") as progress:
            say("careful")
            for _ in range(3):
                progress.advance()

    with pytest.raises(ValueError, match="enough"):
        work()
    assert seen.steps == [("crop", done, 3, "video") for done in range(3)]
    assert seen.lines == ["careful"]
    assert capsys.readouterr() == ("", "")
    say("to the terminal again")
    assert "to the terminal again" in capsys.readouterr().out
