"""The sweep command: a loop and a grid of pictures."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from jobs.main import main
from liax import storage
from liax.model.config import preset
from liax.video.probe import probe


@pytest.fixture(autouse=True)
def _place(studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIAX_MODEL", str(studio / "model"))


def test_one_direction(studio: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-s", str(studio / "me.png"), "-o", "a/3.mp4", "--still", "b/3.png", "--direction", "3"]
    assert main(["sweep", *arguments, "--span", "-0.4", "0.6", "--frames", "8"]) == 0
    assert probe("a/3.mp4").frames_estimate == 8
    with Image.open("b/3.png") as grid:
        assert grid.width > grid.height >= 64
    said = capsys.readouterr().out
    assert "a/3.mp4: 8 frames" in said
    assert "b/3.png" in said


def test_all_directions_with_the_grid_beside_the_video(studio: Path) -> None:
    assert main(["sweep", "-s", str(studio / "two.png"), "-o", "all.mp4", "--face", "2", "--frames", "4"]) == 0
    info = probe("all.mp4")
    assert info.frames_estimate == 4
    assert info.width_px * info.height_px >= preset("tiny").directions * 64 * 64
    with Image.open("all.grid.png") as grid:
        assert grid.height >= preset("tiny").directions * 32
    assert {path.name for path in Path.cwd().iterdir()} == {"all.mp4", "all.grid.png"}


def test_a_grid_that_was_not_asked_for_replaces_no_picture(studio: Path) -> None:
    portrait = Path(shutil.copy(studio / "me.png", "me.png")).read_bytes()
    assert main(["sweep", "-s", "me.png", "-o", "me.mp4", "--direction", "1", "--frames", "2"]) == 0
    assert Path("me.png").read_bytes() == portrait
    assert {path.name for path in Path.cwd().iterdir()} == {"me.mp4", "me.grid.png", "me.png"}


def test_files_on_s3(studio: Path, s3_bucket: str) -> None:
    storage.upload(studio / "me.png", f"{s3_bucket}/me.png")
    names = ["-s", f"{s3_bucket}/me.png", "-o", f"{s3_bucket}/sweep/1.mp4"]
    assert main(["sweep", *names, "--direction", "1", "--frames", "4"]) == 0
    assert storage.list_files(f"{s3_bucket}/sweep") == [f"{s3_bucket}/sweep/1.grid.png", f"{s3_bucket}/sweep/1.mp4"]
