"""Clips show the frames that they should, from every container, and are the same each time."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liax.crop import Square, to_square
from liax.video.cut import Codec, cut_clip, first_moment, shown_times
from liax.video.decode import frames
from liax.video.encode import VideoWriter
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import BT601, BT709, frame_table, probe
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


@pytest.mark.parametrize("turn_deg", [20.0, -70.0])
def test_a_turned_square_shows_what_its_landmarks_say(tmp_path: Path, turn_deg: float) -> None:
    dots_N2 = np.array([[100.0, 90.0], [160.0, 96.0], [120.0, 140.0]])
    picture = np.full((200, 260, 3), 40, dtype=np.uint8)
    for x, y in dots_N2.astype(int):
        picture[y - 4 : y + 4, x - 4 : x + 4] = 240
    with VideoWriter(tmp_path / "dots.mp4", 260, 200, 25, crf=4) as writer:
        for _ in range(3):
            writer.write(picture)
    square = Square(60, 50, 120, turn_deg=turn_deg)
    cut_clip(
        tmp_path / "dots.mp4",
        tmp_path / "clip.mp4",
        probe(tmp_path / "dots.mp4"),
        start_s=0,
        frames=3,
        fps=25,
        square_px=(square.left_px, square.top_px, square.side_px),
        size_px=240,
        crf=4,
        keyframe_interval=8,
        turn_deg=turn_deg,
    )
    seen_HW = next(frames(tmp_path / "clip.mp4"))[1][..., 0].astype(float)
    rows, columns = np.indices(seen_HW.shape) + 0.5
    for x, y in to_square(dots_N2[None], square, 240)[0]:
        near_HW = (seen_HW - 40).clip(0) * (np.hypot(columns - x, rows - y) < 16)
        found = (near_HW * columns).sum() / near_HW.sum(), (near_HW * rows).sum() / near_HW.sum()
        assert found == pytest.approx((x, y), abs=0.6)


@pytest.mark.parametrize("matrix", ["bt470bg", "bt709", "unknown"])
@pytest.mark.parametrize("colour_range", ["tv", "pc"])
@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
def test_a_clip_has_the_colours_of_its_source(tmp_path: Path, matrix: str, colour_range: str, codec: Codec) -> None:
    source = tmp_path / "source.mp4"
    make = ["-f", "lavfi", "-i", "testsrc2=s=128x96:r=25:d=0.2", "-c:v", "libx264", "-crf", "4", "-pix_fmt", "yuv420p"]
    # Without a conversion: what the values mean is the matter of the tag alone.
    tags = ["-vf", f"setparams=colorspace={matrix}:range={colour_range}"]
    run([ffmpeg_path(), "-v", "error", *make, *tags, str(source)], source, 60)
    info, clip = probe(source), tmp_path / "clip.mp4"
    assert (info.yuv_matrix, info.full_range) == (BT709 if matrix == "bt709" else BT601, colour_range == "pc")
    cut_clip(
        source,
        clip,
        info,
        start_s=0,
        frames=5,
        fps=25,
        square_px=(0, 0, 96),
        size_px=96,
        crf=4,
        keyframe_interval=2,
        codec=codec,
        jpeg_quality=1,
    )
    made = probe(clip)
    assert made.codec == codec
    assert made.yuv_matrix == (BT601 if codec == "mjpeg" else info.yuv_matrix)
    assert made.full_range == (codec == "mjpeg")
    before, after = (next(frames(path))[1][:, :96].astype(int) for path in (source, clip))
    converted = codec == "mjpeg" or info.full_range  # which rounds every value
    assert np.abs((after - before).mean(axis=(0, 1))).max() < (1.5 if converted else 0.5)
    assert np.abs(after - before).mean() < (6 if codec == "mjpeg" else 1.5)
    assert frame_table(clip)[1].tolist() == ([True] * 5 if codec == "mjpeg" else [True, False, True, False, True])


@pytest.mark.parametrize("name", ["both.mkv", "both.ts"])
def test_a_file_that_changes_its_size_is_cut_as_if_it_had_the_first_one(tmp_path: Path, name: str) -> None:
    """Pictures become brighter by the frame; in both sizes the left half is black."""
    for size in ("160x120", "320x240"):
        black = f"color=black:s={size}:r=25:d=1"
        brighter = "geq=lum='if(lt(X,W/2),16,20+8*N)':cb=128:cr=128"
        coding = ["-c:v", "libx264", "-crf", "4", "-g", "25", "-f", "mpegts"]
        out = tmp_path / f"{size}.ts"
        run([ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", black, "-vf", brighter, *coding, str(out)], out, 60)
    both = tmp_path / name
    parts = f"concat:{tmp_path}/160x120.ts|{tmp_path}/320x240.ts"
    run([ffmpeg_path(), "-v", "error", "-i", parts, "-c", "copy", str(both)], both, 60)
    clip = tmp_path / "clip.mp4"
    cut_clip(
        both,
        clip,
        probe(both),
        start_s=0.4,
        frames=40,
        fps=25,
        square_px=(40, 0, 80),
        size_px=64,
        crf=4,
        keyframe_interval=8,
    )
    made = [picture_HWC for _, picture_HWC in frames(clip)]
    source = [picture_HWC for time_s, picture_HWC in frames(both) if time_s > 0.39]
    assert len(made) == len(source) == 40
    for ours, theirs in zip(made, source, strict=True):
        assert int(ours[32, 16, 0]) == pytest.approx(int(theirs[60, 60, 0]), abs=4)
        assert int(ours[32, 48, 0]) == pytest.approx(int(theirs[60, 100, 0]), abs=4)


@settings(max_examples=50)
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
