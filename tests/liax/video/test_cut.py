"""Clips show the frames that they should, from every container, and are the same each time."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liax.video.cut import cut_clip, first_moment, shown_times
from liax.video.decode import frames
from liax.video.encode import VideoWriter
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import frame_table, probe
from tests.level_videos import numbers_in, tone, write_levels

REPACKED = {
    "frag.mp4": ["-c", "copy", "-movflags", "frag_keyframe+empty_moov"],
    "levels.mkv": ["-c", "copy"],
    "levels.ts": ["-c", "copy"],
    "levels.flv": ["-c", "copy"],
    "levels.avi": ["-c:v", "mpeg4", "-bf", "2", "-q:v", "1", "-g", "12"],
    # Noise, as a real picture has: only frames that fill a packet each have a time stamp in this container.
    "levels.mpg": ["-vf", "noise=alls=12:allf=t", "-c:v", "mpeg2video", "-bf", "2", "-q:v", "1", "-g", "12"],
}
"""How ffmpeg makes each container from an H.264 mp4."""


def repack(source: Path, name: str) -> Path:
    path = source.with_name(name)
    run([ffmpeg_path(), "-v", "error", "-y", "-i", str(source), *REPACKED[name], str(path)], source, 60)
    return path


@pytest.mark.parametrize(
    ("name", "source_fps"),
    [("levels.mp4", fps) for fps in (10, 23.976, 25, 30, 50)] + [(name, 25.0) for name in REPACKED],
)
@pytest.mark.parametrize("start_frame", [0, 7, 20])
def test_clip_shows_the_frames_that_shown_times_says(
    tmp_path: Path, name: str, source_fps: float, start_frame: int
) -> None:
    path = write_levels(tmp_path / "levels.mp4", 30, source_fps, step=8)
    if name != path.name:
        path = repack(path, name)
    times_s, _ = frame_table(path)
    assert [time_s for time_s, _ in frames(path)] == pytest.approx(times_s)
    assert numbers_in(path, 8) == list(range(30))
    assert numbers_in(path, 8, start=times_s[start_frame]) == list(range(start_frame, 30))
    start_s = first_moment(times_s[start_frame])
    wanted = int(25 * (times_s[-1] - start_s))
    clip = tmp_path / "clip.mp4"
    cut_clip(
        path,
        clip,
        probe(path),
        start_s=start_s,
        frames=wanted,
        fps=25,
        square_px=(0, 0, 48),
        size_px=32,
        crf=4,
        keyframe_interval=8,
    )
    shown_s = shown_times(times_s, start_s, wanted, 25)
    expected = [int(np.argmin(np.abs(times_s - moment_s))) for moment_s in shown_s]
    assert numbers_in(clip, 8) == expected
    assert expected[0] == start_frame


def test_a_gap_in_a_broadcast_is_kept(tmp_path: Path) -> None:
    half = write_levels(tmp_path / "half.mp4", 30, 25)
    path = tmp_path / "gap.ts"
    for offset_s in ("0", "30"):
        part = tmp_path / "part.ts"
        make = ["-i", str(half), "-c", "copy", "-output_ts_offset", offset_s, str(part)]
        run([ffmpeg_path(), "-v", "error", "-y", *make], half, 60)
        with path.open("ab") as file:
            file.write(part.read_bytes())
    times_s, _ = frame_table(path)
    assert times_s[30] - times_s[29] > 20
    clip = tmp_path / "clip.mp4"
    cut_clip(
        path,
        clip,
        probe(path),
        start_s=first_moment(times_s[32]),
        frames=20,
        fps=25,
        square_px=(0, 0, 48),
        size_px=32,
        crf=4,
        keyframe_interval=8,
    )
    assert numbers_in(clip) == list(range(2, 22))


def test_clip_is_deterministic_with_regular_key_frames_and_sound(tmp_path: Path) -> None:
    source = tone(tmp_path / "tone.mp4", 3.0)
    clips = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for clip in clips:
        cut_clip(
            source,
            clip,
            probe(source),
            start_s=0.5,
            frames=40,
            fps=25,
            square_px=(0, 0, 32),
            size_px=64,
            crf=18,
            keyframe_interval=8,
        )
    assert clips[0].read_bytes() == clips[1].read_bytes()
    times_s, is_key = frame_table(clips[0])
    assert len(times_s) == 40
    assert np.flatnonzero(is_key).tolist() == [0, 8, 16, 24, 32]
    assert probe(clips[0]).has_audio


def test_square_outside_the_picture_repeats_the_edge(tmp_path: Path) -> None:
    picture = np.zeros((48, 64, 3), dtype=np.uint8)
    picture[:, :] = np.linspace(20, 230, 64, dtype=np.uint8)[None, :, None]
    with VideoWriter(tmp_path / "ramp.mp4", 64, 48, 25, crf=4) as writer:
        for _ in range(5):
            writer.write(picture)
    clip = tmp_path / "clip.mp4"
    cut_clip(
        tmp_path / "ramp.mp4",
        clip,
        probe(tmp_path / "ramp.mp4"),
        start_s=0,
        frames=5,
        fps=25,
        square_px=(-16, -16, 80),
        size_px=80,
        crf=4,
        keyframe_interval=8,
    )
    seen = next(frames(clip))[1].astype(int)
    expected = np.pad(picture, ((16, 16), (16, 0), (0, 0)), mode="edge").astype(int)
    assert np.abs(seen - expected).mean() < 3


@settings(max_examples=50, deadline=None)
@given(
    gaps_s=st.lists(st.floats(0.005, 0.5), min_size=2, max_size=60),
    start=st.integers(0, 30),
    frame_count=st.integers(1, 80),
)
def test_shown_times_never_run_backwards(gaps_s: list[float], start: int, frame_count: int) -> None:
    times_s = np.cumsum([0.0, *gaps_s])
    start_s = first_moment(times_s[min(start, len(gaps_s) - 1)])
    shown_s = shown_times(times_s, start_s, frame_count, 25)
    assert (np.diff(shown_s) >= 0).all()
    assert np.isin(np.round(shown_s, 9), np.round(times_s, 9)).all()
    # A frame is shown at most half a tick early: the rule rounds to the nearest tick.
    assert (shown_s[1:] - start_s <= np.arange(1, frame_count) / 25 + 0.02 + 1e-9).all()
