"""What a wrong command line gets: one line and exit code 2, before anything is started."""

from pathlib import Path

import pytest

from jobs.preprocess import run
from liax.errors import run_main


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "a.mp4"
    path.parent.mkdir()
    path.write_bytes(b"x")
    return path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["input={videos}"], "'output' is not set"),
        (["input={videos}", "output={out}", "clip.sise_px=64"], "did you mean 'size_px'"),
        (["input={videos}", "output={out}", "clip.size_px=65"], "clip.size_px"),
        (["input={videos}/missing", "output={out}"], "no such file or folder"),
        (["input={videos}", "output={videos}"], "lies inside the input"),
    ],
)
def test_wrong_usage(
    arguments: list[str], says: str, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [argument.format(videos=video.parent, out=tmp_path / "out") for argument in arguments]
    assert run_main(run, filled) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("error: ")
    assert says in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


def test_dry_run_prints_the_whole_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    named = Path(__file__).parents[2] / "jobs/configs/preprocess.yaml"
    assert run_main(run, ["--config", str(named), f"input={tmp_path}", "output=x", "clip.crf=20", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "crf: 20" in printed
    assert "least_face_px: 100.0" in printed
