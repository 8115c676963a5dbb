"""Probing, decoding and encoding of videos made here, whose every frame is known."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from liax.errors import VideoError
from liax.video.cut import cut_clip
from liax.video.decode import decoded, frames, thumbnail
from liax.video.encode import VideoWriter
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import frame_table, probe
from tests.level_videos import tone, write_levels

COLOURS = [(200, 40, 40), (40, 200, 40), (40, 40, 200), (128, 128, 128), (250, 250, 250), (5, 5, 5)]


def test_written_video_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "colours.mp4"
    with VideoWriter(path, 64, 48, 25) as writer:
        for colour in COLOURS:
            writer.write(np.broadcast_to(np.array(colour, dtype=np.uint8), (48, 64, 3)).copy())
    info = probe(path)
    assert (info.codec, info.width_px, info.height_px, info.fps, info.frames_estimate) == ("h264", 64, 48, 25, 6)
    assert not info.has_audio
    assert not info.variable_rate
    read = list(frames(path))
    assert [time_s for time_s, _ in read] == pytest.approx(np.arange(6) / 25)
    for (_, picture), colour in zip(read, COLOURS, strict=True):
        assert np.abs(picture.astype(int) - colour).max() <= 3
    assert path.read_bytes().index(b"moov") < path.read_bytes().index(b"mdat"), "the index must come first"


def test_sampling_by_rate_and_span(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "levels.mp4", 60, 30)
    sampled = [time_s for time_s, _ in frames(path, rate_fps=10)]
    assert sampled == pytest.approx(np.arange(20) / 10)
    # A source slower than the rate keeps all its frames.
    assert len(list(frames(path, rate_fps=100))) == 60
    span = list(frames(path, start=0.5, end=1.0))
    assert [round((float(p.mean()) - 8) / 4) for _, p in span] == list(range(15, 30))
    assert next(frames(path, longest_side_px=32))[1].shape == (24, 32, 3)


def test_frames_that_no_other_needs_can_be_left_out(tmp_path: Path) -> None:
    levels, path = write_levels(tmp_path / "levels.mp4", 60, 30), tmp_path / "b_frames.mp4"
    encode = ["-c:v", "libx264", "-bf", "2", "-x264-params", "b-adapt=0:b-pyramid=none:scenecut=0", str(path)]
    run([ffmpeg_path(), "-v", "error", "-i", str(levels), *encode], path, 60)
    whole = {time_s: thumbnail(frame, 32) for time_s, frame, _ in decoded(path)}
    sparse = {time_s: thumbnail(frame, 32) for time_s, frame, _ in decoded(path, skip_unreferenced=True)}
    assert (len(whole), len(sparse)) == (60, 21)
    assert list(sparse) == sorted(sparse)
    for time_s, picture in sparse.items():
        assert picture.shape == (24, 32, 3)
        np.testing.assert_array_equal(picture, whole[time_s])
    assert min(time_s for time_s, _, _ in decoded(path, start=1.0, skip_unreferenced=True)) == pytest.approx(
        1.0, abs=0.1
    )


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_rotation_flag_is_obeyed(tmp_path: Path, turn: int) -> None:
    picture = np.zeros((48, 64, 3), dtype=np.uint8)
    picture[:24, :32] = 255  # the bright corner tells the way up
    with VideoWriter(tmp_path / "flat.mp4", 64, 48, 25) as writer:
        for _ in range(5):
            writer.write(picture)
    turned = tmp_path / "turned.mp4"
    copy = ["-display_rotation", str(turn), "-i", str(tmp_path / "flat.mp4"), "-c", "copy", str(turned)]
    run([ffmpeg_path(), "-v", "error", *copy], turned, 60)
    by_ffmpeg = tmp_path / "by_ffmpeg.mp4"
    run([ffmpeg_path(), "-v", "error", "-i", str(turned), str(by_ffmpeg)], turned, 60)

    upright, expected = next(frames(turned))[1], next(frames(by_ffmpeg))[1]
    info = probe(turned)
    assert info.rotation_deg == turn
    assert upright.shape == expected.shape == (info.height_px, info.width_px, 3)
    assert np.abs(upright.astype(int) - expected).mean() < 3
    side = 40
    cut_clip(
        turned,
        tmp_path / "clip.mp4",
        info,
        start_s=0,
        frames=5,
        fps=25,
        square_px=(0, 0, side),
        size_px=side,
        crf=10,
        keyframe_interval=8,
    )
    clip = next(frames(tmp_path / "clip.mp4"))[1]
    assert np.abs(clip.astype(int) - expected[:side, :side]).mean() < 4


def test_pictures_with_oblong_pixels_are_made_square(tmp_path: Path) -> None:
    path = tmp_path / "oblong.mp4"
    make = ["-f", "lavfi", "-i", "color=c=red:s=48x48:r=10:d=1", "-vf", "setsar=2"]
    run([ffmpeg_path(), "-v", "error", *make, str(path)], path, 60)
    info = probe(path)
    assert (info.width_px, info.height_px, info.square_pixels) == (96, 48, False)
    assert next(frames(path))[1].shape == (48, 96, 3)
    cut_clip(
        path,
        tmp_path / "clip.mp4",
        info,
        start_s=0,
        frames=5,
        fps=10,
        square_px=(48, 0, 48),
        size_px=32,
        crf=18,
        keyframe_interval=8,
    )
    assert probe(tmp_path / "clip.mp4").width_px == 32


def test_sound_of_another_file_is_kept_and_fits(tmp_path: Path) -> None:
    import av

    for seconds in (0.5, 5.0):
        driving, path = tone(tmp_path / "tone.mp4", seconds), tmp_path / "with_sound.mp4"
        with VideoWriter(path, 32, 32, 25, audio_from=driving) as writer:
            for _ in range(50):
                writer.write(np.zeros((32, 32, 3), dtype=np.uint8))
        assert probe(path).has_audio
        assert len(list(frames(path))) == 50
        with av.open(str(path)) as container:
            sound = container.streams.audio[0]
            assert float(sound.duration * sound.time_base) == pytest.approx(2.0, abs=0.06)


def test_a_failing_block_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "never.mp4"
    writer = VideoWriter(path, 32, 32, 25)
    with writer:
        writer.write(np.zeros((32, 32, 3), dtype=np.uint8))
        with pytest.raises(ValueError, match="shape"):
            writer.write(np.zeros((30, 30, 3), dtype=np.uint8))
    assert len(list(frames(path))) == 1
    path.unlink()

    def fail_half_way() -> None:
        with VideoWriter(path, 32, 32, 25) as writer:
            writer.write(np.zeros((32, 32, 3), dtype=np.uint8))
            raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="even"):
        VideoWriter(path, 31, 32, 25)
    with pytest.raises(VideoError, match="no pictures"), VideoWriter(path, 32, 32, 25):
        pass


def test_times_that_run_backwards_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "reordered.avi"  # H.264 with B-frames in a container that holds no order of showing
    make = ["-f", "lavfi", "-i", "testsrc=s=64x48:r=25:d=1", "-c:v", "libx264", "-bf", "3", str(path)]
    run([ffmpeg_path(), "-v", "error", *make], path, 60)
    with pytest.raises(VideoError, match="times run backwards"):
        list(frames(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "unreadable"),
        (b"this is a text file\n" * 50, "unreadable"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "unreadable"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.mp4"
    path.write_bytes(content)
    for read in (probe, frame_table, lambda bad: list(frames(bad))):
        with pytest.raises(VideoError) as caught:
            read(path)
        assert caught.value.reason == reason
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_playlist_cannot_pull_in_another_file(tmp_path: Path) -> None:
    write_levels(tmp_path / "real.mp4", 5, 25)
    playlist = tmp_path / "list.mp4"
    playlist.write_text(f"ffconcat version 1.0\nfile {tmp_path / 'real.mp4'}\n")
    with pytest.raises(VideoError, match="unreadable"):
        probe(playlist)
    info = probe(tmp_path / "real.mp4")
    with pytest.raises(VideoError, match="ffmpeg failed"):
        cut_clip(
            playlist,
            tmp_path / "out.mp4",
            info,
            start_s=0,
            frames=5,
            fps=25,
            square_px=(0, 0, 48),
            size_px=32,
            crf=18,
            keyframe_interval=8,
        )


def test_a_size_that_changes_midway_stays_the_first_one(tmp_path: Path) -> None:
    for name, size_px, start_s in (("a", (96, 64), 0.0), ("b", (48, 48), 0.2)):
        source = ["-f", "lavfi", "-i", f"testsrc2=s={size_px[0]}x{size_px[1]}:r=25:d=0.2"]
        run(
            [ffmpeg_path(), "-v", "error", *source, "-output_ts_offset", str(start_s), str(tmp_path / f"{name}.ts")],
            name,
            60,
        )
    both = tmp_path / "both.ts"
    both.write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    shapes = [picture.shape for _, picture in frames(both)]
    assert len(shapes) > 5, "both parts are read"
    assert set(shapes) == {(64, 96, 3)}
    assert {picture.shape for _, picture in frames(both, longest_side_px=48)} == {(32, 48, 3)}


def test_a_picture_beyond_the_limit_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "raw.avi"
    make = ["-f", "lavfi", "-i", "color=c=red:s=64x48:r=5:d=1", "-c:v", "rawvideo", "-pix_fmt", "yuv420p", str(path)]
    run([ffmpeg_path(), "-v", "error", *make], path, 60)
    assert probe(path, most_pixels=64 * 48).width_px == 64
    with pytest.raises(VideoError, match="64x48") as caught:
        probe(path, most_pixels=64 * 48 - 1)
    assert caught.value.reason == "picture_too_large"
    size = np.array([64, 48], "<i4").tobytes()
    absurd = np.array([60000, 60000], "<i4").tobytes()
    path.write_bytes(path.read_bytes().replace(size, absurd))
    for read in (probe, frame_table, lambda bad: list(frames(bad))):
        with pytest.raises(VideoError):
            read(path)


def test_audio_only_and_missing_files(tmp_path: Path) -> None:
    sound = tmp_path / "sound.m4a"
    make = ["-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", str(sound)]
    subprocess.run([ffmpeg_path(), "-v", "error", *make], check=True)
    with pytest.raises(VideoError) as caught:
        probe(sound)
    assert caught.value.reason == "no_video_stream"
    with pytest.raises(VideoError, match="No such file"):
        probe(tmp_path / "missing.mp4")


def test_a_hanging_command_is_stopped() -> None:
    endless = ["-f", "lavfi", "-re", "-i", "color=c=red:s=16x16", "-f", "null", "-"]
    with pytest.raises(VideoError) as caught:
        run([ffmpeg_path(), *endless], "endless", 0.5)
    assert caught.value.reason == "ffmpeg_timeout"
