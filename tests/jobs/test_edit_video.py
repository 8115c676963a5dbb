"""The edit-video command: a video in, a video of the same length, rate and sound out."""

from pathlib import Path

import numpy as np
import pytest

from jobs.main import main
from liax import storage
from liax.video.decode import frames
from liax.video.probe import VideoInfo, probe


@pytest.fixture(autouse=True)
def _place(studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIAX_MODEL", str(studio / "model"))


def edit(studio: Path, *options: str, source: str = "talk.mp4") -> tuple[VideoInfo, np.ndarray]:
    assert main(["edit-video", "-s", str(studio / source), "-o", "out.mp4", "--set", "3=0.5", *options]) == 0
    return probe("out.mp4"), np.stack([picture for _, picture in frames("out.mp4")]).astype(int)


def test_size_length_rate_and_sound(studio: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info, pictures_THWC = edit(studio)
    assert (info.fps, info.has_audio, pictures_THWC.shape) == (25, True, (10, 64, 64, 3))
    assert "out.mp4: 10 frames of 64x64 px at 25 fps" in capsys.readouterr().out
    info, pictures_THWC = edit(studio, "--paste-back", "--audio", "none")
    assert (info.fps, info.has_audio, pictures_THWC.shape) == (25, False, (10, 192, 192, 3))
    info, pictures_THWC = edit(studio, source="silent.mp4")
    assert (info.fps, info.has_audio, len(pictures_THWC)) == (10, False, 4)


def test_ways_of_drawing_differ(studio: Path) -> None:
    _, own = edit(studio, "--smooth", "0")
    _, smoothed = edit(studio, "--smooth", "0.2")
    _, from_first = edit(studio, "--from-first")
    assert abs(own - smoothed).max() > 0
    assert abs(own - from_first)[-1].max() > 0


def test_a_smoothing_that_cannot_be_is_refused_first(studio: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["-s", str(studio / "blank.mp4"), "-o", "out.mp4", "--set", "3=0.5", "--smooth", "1", "--model", "gone"]
    assert main(["edit-video", *arguments]) == 2
    assert capfd.readouterr().err.startswith("error: a smoothing over 1 s")


def test_faces(studio: Path) -> None:
    _, both = edit(studio, "--face", "all", "--paste-back", source="two.mp4")
    _, first = edit(studio, "--face", "1", "--paste-back", source="two.mp4")
    assert both.shape == first.shape == (5, 256, 512, 3)
    left, right = abs(both - first)[..., :256, :].mean(), abs(both - first)[..., 256:, :].mean()
    assert left < 0.2 * right


def test_files_on_s3(studio: Path, s3_bucket: str) -> None:
    storage.upload(studio / "talk.mp4", f"{s3_bucket}/talk.mp4")
    names = ["-s", f"{s3_bucket}/talk.mp4", "-o", f"{s3_bucket}/edit-video/out.mp4"]
    assert main(["edit-video", *names, "--set", "1=0.1"]) == 0
    with storage.local_copy(f"{s3_bucket}/edit-video/out.mp4") as local:
        assert probe(local).has_audio
