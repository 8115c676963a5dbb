"""Clips of one source, from tracks made here: every part ends as a clip or as a row, whatever is odd about it."""

from pathlib import Path

import numpy as np
import pytest

from liax import storage
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import probe
from pipelines.clips import clips_row, make_clips
from pipelines.config import PreprocessConfig
from pipelines.outcomes import KEPT, Source, SourceRecord
from pipelines.run import Run, load_record
from pipelines.tracking import Track, tracks_to_bytes


@pytest.fixture(scope="module", params=["mp4", "ts"])
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of pictures, in containers with and without an index, with sound in the first half second."""
    path = tmp_path_factory.mktemp("video") / f"video.{request.param}"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=3"]
    sound = ["-f", "lavfi", "-i", "sine=duration=0.5", "-c:a", "aac"]
    run([ffmpeg_path(), "-v", "error", *picture, *sound, "-c:v", "libx264", "-g", "50", str(path)], path, 60)
    return path


def track(*times_s: float, side_px: float = 100.0) -> Track:
    count = len(times_s)
    points_N3 = np.random.default_rng(0).random((478, 3), dtype=np.float32) * side_px + np.float32([100, 80, 0])
    return Track(
        times_s=np.array(times_s),
        landmarks_KN3=np.tile(points_N3, (count, 1, 1)),
        boxes_K4=np.tile(np.float32([100, 80, 100 + side_px, 80 + side_px]), (count, 1)),
        head_pose_K3=np.zeros((count, 3), np.float32),
        blendshapes_KS=np.zeros((count, 52), np.float32),
    )


def made(video: Path, folder: Path, tracks: list[Track], **clip: float) -> tuple[Run, SourceRecord]:
    config = PreprocessConfig.model_validate({"input": "-", "output": str(folder), "clip": {"size_px": 64, **clip}})
    opened = Run(str(folder), "0" * 12)
    return opened, make_clips(opened, config, Source(uri=str(video), sha256="ab" * 32), tracks)


def every(start_s: float, end_s: float) -> list[float]:
    return np.arange(start_s, end_s, 0.1).tolist()


def test_sound_is_that_of_the_clip(video: Path, tmp_path: Path) -> None:
    opened, record = made(video, tmp_path, [track(*every(0, 1.4)), track(*every(1.5, 3))])
    assert len(record.clips) == 2
    assert record.clips[0].has_audio
    for clip in record.clips:
        assert probe(opened.clip(clip.key, "mp4")).has_audio == clip.has_audio


def test_a_missing_picture_for_the_report_costs_no_clip(video: Path, tmp_path: Path) -> None:
    beyond_the_end = track(9.0, 9.1, side_px=20)
    opened, record = made(video, tmp_path, [track(*every(0, 2)), beyond_the_end])
    assert [row.reason for row in record.outcomes] == [KEPT, "face_too_small"]
    shown = [row.preview for row in record.outcomes]
    assert shown[0] is not None
    assert storage.exists(opened.preview(shown[0]))
    assert shown[1] is None
    assert storage.exists(opened.clip(record.clips[0].key, "mp4"))


def test_a_part_in_which_the_face_is_not_seen_has_its_row(video: Path, tmp_path: Path) -> None:
    seldom = track(0.0, 0.1, 0.2, 2.6, 2.7, 2.8, 2.9)
    _, record = made(video, tmp_path, [seldom], longest_s=1.0, least_s=0.5)
    assert [row.reason for row in record.outcomes] == [KEPT, "no_face", KEPT]
    assert record.outcomes[1].start_s == pytest.approx(0.98, abs=0.01)


def test_a_source_that_is_gone_ends_as_a_row(tmp_path: Path) -> None:
    config = PreprocessConfig(input="-", output=str(tmp_path))
    source, opened = Source(uri=str(tmp_path / "gone.mp4"), sha256="ab" * 32), Run(str(tmp_path), "0" * 12)
    tracks = tracks_to_bytes([track(*every(0, 2))])
    row = {"source": source.model_dump_json(), "tracks": tracks, "reason": "", "detail": "", "faces_s": 0.0}
    assert clips_row(row, opened, config)["clips"] == 0
    assert [row.reason for row in load_record(opened, source).outcomes] == ["missing"]
