"""Driving videos: one square round the face, and a constant rate whatever the time stamps."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liax.errors import UserError
from liax.face import FaceFinder
from liax.inference.driving import constant_rate, open_driving
from liax.synthetic.videos import write_video
from liax.video.decode import frame_at
from liax.video.encode import VideoWriter


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


@pytest.mark.parametrize(
    ("kind", "text"), [("no_face", "no face in"), ("text", "unreadable"), ("absent", "no such file")]
)
def test_what_cannot_drive_is_refused(tmp_path: Path, kind: str, text: str) -> None:
    path = tmp_path / "v.mp4"
    if kind == "no_face":
        write_video(path, "no_face", seconds=0.4, size_px=96)
    elif kind == "text":
        path.write_text("not a video")
    with FaceFinder() as finder, pytest.raises(UserError, match=text):
        open_driving(path, 64, finder)
