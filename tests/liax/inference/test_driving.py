"""Driving videos: one square round the face, and a constant rate whatever the time stamps."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from liax.errors import UserError
from liax.face import FaceFinder
from liax.inference.driving import constant_rate, open_driving
from liax.synthetic.videos import write_video
from liax.video.decode import frame_at
from liax.video.encode import VideoWriter
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import probe
from tests.click_and_flash import write_click_and_flash


@given(st.integers(1, 60), st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(12)]))
def test_regular_times_pass_unchanged(count: int, fps: Fraction) -> None:
    timed = [(float(number / fps), number) for number in range(count)]
    assert list(constant_rate(timed, fps)) == list(range(count))


@given(st.lists(st.floats(0.001, 0.4), min_size=1, max_size=40))
def test_uneven_times_keep_step(gaps: list[float]) -> None:
    times = np.cumsum(gaps)
    shown = list(constant_rate(((time_s, number) for number, time_s in enumerate(times)), Fraction(25)))
    assert shown == sorted(shown)
    assert abs(len(shown) / 25 - times[-1]) <= 1.5 / 25 + 1e-6  # rounded to a frame, which is shown for one more
    for frame, number in enumerate(shown):
        assert times[number] <= (frame + 0.5) / 25 + 1e-6 or number == 0


def test_no_frames_give_none() -> None:
    assert list(constant_rate([], Fraction(25))) == []


def test_the_square_holds_the_face_in_every_frame(tmp_path: Path) -> None:
    truth = write_video(tmp_path / "v.mp4", "face", seconds=1, size_px=320, seed=2)
    with FaceFinder() as finder:
        driving = open_driving(tmp_path / "v.mp4", 64, finder)
    square = driving.square
    boxes = np.array([frame["box_px"] for frame in truth["faces"][0]])
    slack = 0.03 * square.side_px
    assert (boxes[:, 0] > square.left_px - slack).all()
    assert (boxes[:, 2] < square.left_px + square.side_px + slack).all()
    assert square.side_px > 1.2 * np.median(boxes[:, 3] - boxes[:, 1])
    pictures = list(driving.pictures())
    assert len(pictures) == truth["frames"] == driving.frames_estimate
    assert pictures[0][1].shape == (64, 64, 3)


def test_of_two_faces_one_is_followed(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", "two_faces", seconds=1, size_px=256, seed=2)
    with FaceFinder() as finder:
        square = open_driving(tmp_path / "v.mp4", 64, finder).square
    assert square.side_px <= 256 + 32


def test_a_face_that_hardly_shows_does_not_drive(tmp_path: Path) -> None:
    write_video(tmp_path / "face.mp4", "still", seconds=0.04, size_px=192)
    face = frame_at(tmp_path / "face.mp4", 0.0)
    with VideoWriter(tmp_path / "v.mp4", 192, 192, 5) as writer:
        for number in range(8):
            writer.write(face if number == 3 else np.full_like(face, 128))
    with FaceFinder() as finder, pytest.raises(UserError, match="only 1 of 8 pictures"):
        open_driving(tmp_path / "v.mp4", 64, finder)


@pytest.mark.parametrize(("name", "text"), [
    ("absent.mp4", "no such file"),
    ("empty.mp4", "is an empty file"),
    ("text.mp4", "unreadable"),
    ("cut_off.mp4", "unreadable"),
    ("no_length.mp4", "has no pictures"),
    ("no_length.mkv", "has no pictures|unreadable"),
    ("sound.m4a", "has sound but no pictures"),
    ("sound.mp3", "has sound but no pictures"),
    ("sound.wav", "has sound but no pictures"),
    ("picture.jpg", "is a picture, not a video"),
    ("picture.png", "is a picture, not a video"),
    ("picture.gif", "is a picture, not a video"),
    ("picture.mp4", "is a picture, not a video"),
])  # fmt: skip
def test_what_is_no_video_is_refused_in_one_line(no_videos: Path, name: str, text: str) -> None:
    path = no_videos / name
    with pytest.raises(UserError, match=text) as caught:
        open_driving(path, 64, None)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert name == "absent.mp4" or "give a video" in str(caught.value)


@pytest.fixture(scope="module")
def no_videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("no_videos")
    write_video(folder / "good.mp4", "still", seconds=0.4, size_px=64)
    (folder / "cut_off.mp4").write_bytes((folder / "good.mp4").read_bytes()[:1500])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("not a video")
    for name in ("no_length.mp4", "no_length.mkv"):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            container.start_encoding()
    for name in ("sound.m4a", "sound.mp3", "sound.wav"):
        run([ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", "sine=d=0.2", str(folder / name)], name, 60)
    for ending in ("jpg", "png", "gif"):
        Image.new("RGB", (64, 64), "gray").save(folder / f"picture.{ending}")
    (folder / "picture.mp4").write_bytes((folder / "picture.jpg").read_bytes())
    return folder


def test_a_video_without_a_face_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", "no_face", seconds=0.4, size_px=96)
    with FaceFinder() as finder, pytest.raises(UserError, match=r"no face in .*choose another file, or use --no-crop"):
        open_driving(tmp_path / "v.mp4", 64, finder)


def test_a_rate_that_is_only_the_clocks_is_not_taken(tmp_path: Path) -> None:
    times_s = list(np.cumsum(np.random.default_rng(0).uniform(0.01, 0.09, 20)))
    write_click_and_flash(tmp_path / "v.ts", times_s[5], times_s, (0, 1))
    assert probe(tmp_path / "v.ts").fps > 1000
    assert open_driving(tmp_path / "v.ts", 64, None).fps == 25
