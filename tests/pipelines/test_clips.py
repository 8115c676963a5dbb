"""Clips of one segment, from tracks made here: every part ends as a clip or as a row, whatever is odd about it."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liax import storage
from liax.sample import FaceArrays
from liax.video.cut import shown_times
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import frame_table, probe
from pipelines.analysis import Analysis, Span
from pipelines.clips import MakeClips, make_clips
from pipelines.config import PreprocessConfig
from pipelines.outcomes import KEPT, Segment, SegmentRecord, Source
from pipelines.run import Run
from pipelines.tracking import Track


@pytest.fixture(scope="module", params=["mp4", "ts"])
def video(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of pictures, in containers with and without an index, with sound in the first half second."""
    path = tmp_path_factory.mktemp("video") / f"video.{request.param}"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=3"]
    sound = ["-f", "lavfi", "-i", "sine=duration=0.5", "-c:a", "aac"]
    run([ffmpeg_path(), "-v", "error", *picture, *sound, "-c:v", "libx264", "-g", "50", str(path)], path, 60)
    return path


def track(*times_s: float, side_px: float = 100.0, roll_deg: float = 0.0) -> Track:
    count = len(times_s)
    points_N3 = np.random.default_rng(0).random((478, 3), dtype=np.float32) * side_px + np.array(
        [100, 80, 0], np.float32
    )
    pose_K3 = np.zeros((count, 3), np.float32)
    pose_K3[:, 2] = roll_deg
    return Track(
        times_s=np.array(times_s),
        landmarks_KN3=np.tile(points_N3, (count, 1, 1)),
        boxes_K4=np.tile(np.array([100, 80, 100 + side_px, 80 + side_px], np.float32), (count, 1)),
        head_pose_K3=pose_K3,
        blendshapes_KS=np.zeros((count, 52), np.float32),
        agreement_K=np.full(count, np.nan, np.float32),
    )


def made(
    video: Path, folder: Path, analysis: Analysis | list[Track], settings: dict[str, Any] | None = None, **clip: object
) -> tuple[Run, SegmentRecord]:
    faces = {"least_face_px": 60}
    given = {"input": "-", "output": str(folder), "faces": faces, "clip": {"size_px": 64, **clip}, **(settings or {})}
    config = PreprocessConfig.model_validate(given)
    opened = Run(str(folder), "0" * 12)
    if isinstance(analysis, list):
        analysis = Analysis(analysis, [], [])
    source = Source(uri=str(video), sha256="ab" * 32)
    segment = Segment(id="piece", source=source, number=1, start_s=0.0, end_s=None)
    return opened, make_clips(opened, config, segment, analysis)


def every(start_s: float, end_s: float) -> list[float]:
    return np.arange(start_s, end_s, 0.1).tolist()


def test_sound_is_that_of_the_clip(video: Path, tmp_path: Path) -> None:
    opened, record = made(video, tmp_path, [track(*every(0, 1.4)), track(*every(1.5, 3))])
    assert len(record.clips) == 2
    assert [clip.has_audio for clip in record.clips] == [True, False]
    for clip in record.clips:
        assert probe(opened.clip(clip.key, "mp4")).has_audio == clip.has_audio
        assert clip.segment == 1


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


def test_a_clip_shorter_than_its_frame_has_its_row(video: Path, tmp_path: Path) -> None:
    for align in ("clip", "frame"):
        crop = {"crop": {"align": align}}
        _, record = made(video, tmp_path / align, [track(*every(0, 0.7))], crop, fps=1, least_s=0.5)
        assert [row.reason for row in record.outcomes] == ["too_short"]


def test_a_segment_beyond_the_end_has_no_frames(video: Path, tmp_path: Path) -> None:
    _, record = made(video, tmp_path, Analysis([], [], []))
    assert [row.reason for row in record.outcomes] == ["no_frames"]


def test_landmarks_move_on_where_a_track_is_divided(video: Path, tmp_path: Path) -> None:
    times_s = np.arange(0, 2.95, 0.16)
    still = track(*times_s, side_px=60)
    shift_K3 = np.outer(20 * times_s, [1, 0, 0]).astype(np.float32)  # 20 px a second to the right
    moving = replace(
        still,
        landmarks_KN3=still.landmarks_KN3 + shift_K3[:, None],
        boxes_K4=still.boxes_K4 + shift_K3[:, [0, 1, 0, 1]],
    )
    opened, record = made(video, tmp_path, [moving], longest_s=1.0, least_s=0.5)
    assert [row.reason for row in record.outcomes] == [KEPT] * 3
    for clip in record.clips:
        faces = FaceArrays.from_bytes(storage.read_bytes(opened.clip(clip.key, "npz")))
        shown_T = shown_times(frame_table(video)[0], clip.start_s, clip.frames, 25)
        first_px = still.landmarks_KN3[0, :, 0].mean() - clip.crop.left_px
        in_source_T = first_px + 20 * np.minimum(shown_T, times_s[-1])
        x_T = faces.landmarks_TN3[..., 0].mean(axis=1) * clip.crop.side_px / clip.size_px
        assert x_T == pytest.approx(in_source_T, abs=0.01)


def test_dropped_spans_have_rows_and_at_most_one_picture_a_reason(video: Path, tmp_path: Path) -> None:
    dropped = [Span(0.0, 0.5, "black"), Span(1.0, 1.5, "black"), Span(2.0, 2.9, "frozen")]
    _, record = made(video, tmp_path, Analysis([], dropped, [(0.0, 2.96)]))
    rows = [(row.stage, row.reason, row.start_s, row.preview is not None) for row in record.outcomes]
    spans = [("shots", "black", 0.0, True), ("shots", "black", 1.0, False), ("shots", "frozen", 2.0, True)]
    assert rows == [*spans, ("faces", "no_face", None, True)]


def test_a_clip_ends_with_its_shot(video: Path, tmp_path: Path) -> None:
    _, record = made(video, tmp_path, Analysis([track(*every(0, 1.5))], [], [(0.0, 1.21), (1.21, math.inf)]))
    assert record.clips[0].frames == 30


def test_every_clip_has_scores_and_a_signature(video: Path, tmp_path: Path) -> None:
    _, record = made(video, tmp_path, [track(*every(0, 2))])
    (clip,) = record.clips
    assert clip.scores["face_px"] == 100
    assert record.signatures.keys() == record.clip_bytes.keys() == {clip.key}
    assert len(record.signatures[clip.key].hashes) > 0


def test_the_crop_alone_keeps_the_sources_own_pixels(video: Path, tmp_path: Path) -> None:
    opened, record = made(video, tmp_path, [track(*every(0, 2))], {"crop": {"align": "none"}})
    (clip,) = record.clips
    assert clip.size_px == clip.crop.side_px == probe(opened.clip(clip.key, "mp4")).width_px != 64
    assert clip.crop.align == "none"


def test_roll_is_taken_out_of_the_picture_and_the_pose(video: Path, tmp_path: Path) -> None:
    rolled = track(*every(0, 2), side_px=80, roll_deg=12.0)
    opened, record = made(video, tmp_path, [rolled], {"crop": {"roll": True}})
    (clip,) = record.clips
    assert clip.crop.turn_deg == pytest.approx(12, abs=1e-4)
    faces = FaceArrays.from_bytes(storage.read_bytes(opened.clip(clip.key, "npz")))
    assert faces.head_pose_T3[:, 2] == pytest.approx(np.zeros(clip.frames), abs=1e-4)


@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
def test_aligned_frames_keep_the_sound_and_the_number_of_frames(video: Path, tmp_path: Path, codec: str) -> None:
    settings = {"crop": {"align": "frame", "outside": "pad"}}
    opened, record = made(video, tmp_path, [track(*every(0, 2))], settings, codec=codec)
    (clip,) = record.clips
    _, plain = made(video, tmp_path / "plain", [track(*every(0, 2))])
    assert (clip.frames, clip.has_audio) == (plain.clips[0].frames, True)
    assert clip.crop.align == "frame"
    assert probe(opened.clip(clip.key, "mp4")).codec == codec
    assert clip.keyframes == list(range(0, clip.frames, 1 if codec == "mjpeg" else 8))
    faces = FaceArrays.from_bytes(storage.read_bytes(opened.clip(clip.key, "npz")))
    assert len(faces.measured_T) == clip.frames


def test_the_rows_of_a_segment_tell_how_often_it_was_tried(tmp_path: Path) -> None:
    opened = Run(str(tmp_path), "0" * 12)
    segment = Segment(id="piece", source=Source(uri="a.mp4", sha256="ab" * 32), number=0, start_s=0.0, end_s=None)
    config = PreprocessConfig.model_validate({"input": "-", "output": str(tmp_path)})
    unreadable = {"reason": "unreadable", "detail": "at the second attempt", "attempts": 2, "faces_s": 0.0}
    MakeClips(opened, config)({"segment": segment.model_dump_json(), **unreadable})
    (row,) = SegmentRecord.model_validate_json(storage.read_bytes(opened.record(segment))).outcomes
    assert (row.reason, row.attempts) == ("unreadable", 2)
