"""The edit command: a picture in, a picture out."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.main import main
from liax import storage


@pytest.fixture(autouse=True)
def _place(studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIAX_MODEL", str(studio / "model"))


def edit(studio: Path, out: str, *options: str, source: str = "me.png") -> Image.Image:
    assert main(["edit", "-s", str(studio / source), "-o", out, *options]) == 0
    with Image.open(out) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize(("name", "kind"), [("a/b.png", "PNG"), ("b.jpg", "JPEG"), ("b.WEBP", "WEBP")])
def test_formats(studio: Path, name: str, kind: str) -> None:
    picture = edit(studio, name, "--set", "3=0.2")
    assert (picture.format, picture.size, picture.mode) == (kind, (64, 64), "RGB")


def test_settings_add_up_and_change_the_picture(studio: Path) -> None:
    once, twice, other = (
        np.asarray(edit(studio, "out.png", *options), dtype=int)
        for options in (
            ["--set", "3=-0.8"],
            ["--set", "3=-0.5", "--set", "3=-0.3"],
            ["--set", "3=-0.8", "--set", "5=1"],
        )
    )
    assert abs(once - twice).max() <= 1
    assert abs(once - other).max() > 1


def test_only_the_faces_square_changes_in_the_whole_picture(studio: Path) -> None:
    edited = np.asarray(edit(studio, "out.png", "--set", "3=0.2", "--paste-back"), dtype=int)
    with Image.open(studio / "me.png") as opened:
        source = np.asarray(opened.convert("RGB"), dtype=int)
    assert edited.shape == source.shape
    changed = np.argwhere(abs(edited - source).max(axis=2) > 0)
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert bottom - top > 100, "an untrained model's picture is not the face"
    assert abs((bottom - top) - (right - left)) <= 4, "a square"
    assert bottom - top < source.shape[0]


def test_files_on_s3(studio: Path, s3_bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    storage.upload(studio / "me.png", f"{s3_bucket}/me.png")
    assert main(["edit", "-s", f"{s3_bucket}/me.png", "-o", f"{s3_bucket}/edit/me.jpg", "--set", "1=0.1"]) == 0
    assert storage.read_bytes(f"{s3_bucket}/edit/me.jpg", 0, 2) == b"\xff\xd8"
    assert f"{s3_bucket}/edit/me.jpg: 64x64 px" in capsys.readouterr().out
