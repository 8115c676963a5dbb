"""Which faces are meant, in pictures and in videos."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liax.errors import UserError
from liax.face import BLENDSHAPES, FACE_POINTS, Box, Face, FaceFinder
from liax.inference.framing import (
    CROP,
    MOST_FACES,
    check_choice,
    choose_faces,
    face_square,
    middle_square,
    optional_finder,
    video_squares,
)
from liax.synthetic.videos import write_video
from liax.video.decode import frame_at
from liax.video.encode import VideoWriter
from liax.video.probe import probe


def face(box: Box) -> Face:
    landmarks_N3 = np.zeros((FACE_POINTS, 3), np.float32)
    landmarks_N3[:2, :2] = np.array(box, np.float32).reshape(2, 2)
    return Face(landmarks_N3, box, np.zeros(3, np.float32), np.zeros(len(BLENDSHAPES), np.float32))


LEFT, MIDDLE, RIGHT = face((0, 50, 30, 90)), face((40, 0, 100, 60)), face((120, 0, 150, 45))
UNORDERED = [MIDDLE, RIGHT, LEFT]


@pytest.mark.parametrize(("choice", "expected"), [
    ("largest", [MIDDLE]),
    ("leftmost", [LEFT]),
    ("1", [LEFT]),
    ("2", [MIDDLE]),
    ("3", [RIGHT]),
    ("all", [LEFT, MIDDLE, RIGHT]),
])  # fmt: skip
def test_faces_are_counted_from_the_left(choice: str, expected: list[Face]) -> None:
    chosen = choose_faces(UNORDERED, choice, "p.jpg")
    assert [one.box_px for one in chosen] == [one.box_px for one in expected]


@pytest.mark.parametrize("choice", [None, "largest", "leftmost", "1", "all"])
def test_one_face_is_every_choice(choice: str | None) -> None:
    assert choose_faces([LEFT], choice, "p.jpg") == [LEFT]


@pytest.mark.parametrize(("faces", "choice", "text"), [
    ([], None, r"no face in p\.jpg: choose another file"),
    (UNORDERED, None, r"3 faces in p\.jpg: choose with --face largest, leftmost, all, or a number"),
    (UNORDERED, "4", r"no face number 4 in p\.jpg, which shows 3 faces"),
    ([LEFT], "2", r"no face number 2 in p\.jpg, which shows one face"),
])  # fmt: skip
def test_what_cannot_be_chosen_is_said(faces: list[Face], choice: str | None, text: str) -> None:
    with pytest.raises(UserError, match=text) as caught:
        choose_faces(faces, choice, "p.jpg")
    assert "\n" not in str(caught.value)


@given(st.text(max_size=4))
def test_other_words_are_refused(choice: str) -> None:
    known = choice in ("largest", "leftmost", "all") or (choice.isdecimal() and int(choice) > 0)
    if known:
        check_choice(choice, crop=True, paste_back=True)
    else:
        with pytest.raises(UserError, match="unknown face"):
            check_choice(choice, crop=True, paste_back=True)


def test_choices_that_contradict_other_options_are_refused() -> None:
    check_choice(None, crop=False, paste_back=False)
    with pytest.raises(UserError, match="--no-crop"):
        check_choice("1", crop=False, paste_back=True)
    with pytest.raises(UserError, match="--paste-back"):
        check_choice("all", crop=True, paste_back=False)
    with pytest.raises(UserError, match="for one picture: choose one face"):
        check_choice("all", crop=True, paste_back=None)


@pytest.mark.parametrize(("width_px", "height_px"), [(90, 60), (61, 91), (2, 2)])
def test_the_middle_square_fits(width_px: int, height_px: int) -> None:
    square = middle_square(width_px, height_px)
    assert square.side_px == min(width_px, height_px) // 2 * 2
    assert abs(2 * square.left_px + square.side_px - width_px) <= 1
    assert abs(2 * square.top_px + square.side_px - height_px) <= 1


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A video of two faces, and their true boxes, faces × frames × 4."""
    path = tmp_path_factory.mktemp("framing") / "two.mp4"
    truth = write_video(path, "two_faces", seconds=0.8, size_px=256, seed=2)
    return path, np.array([[frame["box_px"] for frame in track] for track in truth["faces"]])


def test_each_face_of_a_video_has_its_own_square(two: tuple[Path, np.ndarray]) -> None:
    path, boxes_FT4 = two
    with FaceFinder() as finder:
        squares, width_px, height_px, poses = video_squares(path, probe(path), finder, "all")
        assert (width_px, height_px) == (512, 256)
        for square, boxes_T4 in zip(squares, boxes_FT4, strict=True):
            center_x = np.median(boxes_T4[:, [0, 2]])
            assert square.left_px + CROP.center_x * square.side_px == pytest.approx(center_x, abs=16)
        assert [time_s for time_s, _ in poses] == pytest.approx([0, 0.2, 0.4, 0.6], abs=0.03)
        assert np.abs([pose for _, pose in poses]).max() < 60
        for choice, expected in (("leftmost", squares[:1]), ("2", squares[1:])):
            assert video_squares(path, probe(path), finder, choice)[0] == expected
        with pytest.raises(UserError, match="2 faces in"):
            video_squares(path, probe(path), finder)


def test_who_only_passes_by_does_not_count(two: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    both = frame_at(two[0], 0)
    alone = both.copy()
    alone[:, :256] = 128
    with VideoWriter(tmp_path / "v.mp4", 512, 256, 5) as writer:
        for number in range(10):
            writer.write(both if number in (3, 4) else alone)
    with FaceFinder() as finder:
        (square,), *_ = video_squares(tmp_path / "v.mp4", probe(tmp_path / "v.mp4"), finder)
    assert square.left_px + square.side_px / 2 > 256


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """A picture of one face."""
    path = tmp_path_factory.mktemp("framing") / "still.mp4"
    write_video(path, "still", seconds=0.04, size_px=192)
    return frame_at(path, 0)


@pytest.mark.parametrize("places", [[(0, 0), (256, 0)], [(0, 0), (0, 128), (128, 0), (256, 0), (256, 128)]])
def test_a_face_that_jumps_is_one_face(
    still: np.ndarray, tmp_path: Path, places: list[tuple[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "v.mp4"
    with VideoWriter(path, 448, 320, 5) as writer:
        for number in range(10):
            picture = np.full((320, 448, 3), 128, np.uint8)
            left, top = places[number * len(places) // 10]
            picture[top : top + 192, left : left + 192] = still
            writer.write(picture)
    with FaceFinder() as finder:
        (square,), _, _, poses = video_squares(path, probe(path), finder)
        assert video_squares(path, probe(path), finder, "largest")[0] == [square]
    assert square.left_px < 64
    assert square.left_px + square.side_px > 448 - 64
    assert [time_s for time_s, _ in poses] == pytest.approx(np.arange(10) / 5, abs=0.01)
    assert capsys.readouterr().out.count("the face moves so far") == 2


def test_a_face_that_is_found_twice_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    again = face((2, 52, 31, 89))
    assert choose_faces([again, LEFT], None, "p.jpg") == [LEFT]
    assert not capsys.readouterr().out


def test_a_large_group(still: np.ndarray, capsys: pytest.CaptureFixture[str]) -> None:
    with optional_finder(crop=True) as finder:
        assert finder is not None
        assert len(choose_faces(finder.find(np.tile(still[34:164, 38:155], (3, 4, 1))), "all", "group.jpg")) == 12
    assert not capsys.readouterr().out
    many = [face((10 * place, 0, 10 * place + 9, 9)) for place in range(MOST_FACES)]
    assert len(choose_faces(many, "all", "group.jpg")) == MOST_FACES
    assert "group.jpg: 32 faces are found at most" in capsys.readouterr().out


def test_squares_count_in_pixels_of_the_pictures_as_they_are_read(two: tuple[Path, np.ndarray]) -> None:
    path, _ = two
    with FaceFinder() as finder:
        (whole, *_), *_ = video_squares(path, probe(path), finder, "all")
        (half, *_), width_px, height_px, _ = video_squares(path, probe(path), finder, "all", longest_side_px=384)
    assert (width_px, height_px) == (384, 192)
    assert half.side_px == pytest.approx(0.75 * whole.side_px, abs=6)


def test_faces_of_a_picture(two: tuple[Path, np.ndarray]) -> None:
    path, boxes_FT4 = two
    picture = frame_at(path, 0)
    with FaceFinder() as finder:
        faces = finder.find(picture)
    left, right = (face_square(face, picture) for face in choose_faces(faces, "all", "two.png"))
    assert [face_square(face, picture) for face in choose_faces(faces, "2", "two.png")] == [right]
    for square, box in zip((left, right), boxes_FT4[:, 0], strict=True):
        assert square.left_px <= box[0] < box[2] <= square.left_px + square.side_px
