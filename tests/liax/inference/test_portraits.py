"""Source pictures: which faces are cut out, and the whole that results make."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from liax.crop import cut
from liax.errors import UserError
from liax.face import FaceFinder
from liax.inference.portraits import open_portraits
from liax.pictures import Picture, load_picture
from liax.synthetic.videos import write_video
from liax.video.decode import frame_at


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of odd size with two faces next to each other."""
    folder = tmp_path_factory.mktemp("portraits")
    write_video(folder / "two.mp4", "two_faces", seconds=0.04, size_px=320, seed=2)
    Image.fromarray(frame_at(folder / "two.mp4", 0)[:319, :639]).save(folder / "two.png")
    return folder / "two.png"


def colour(size_px: int, rgb: tuple[int, int, int]) -> Picture:
    return np.full((size_px, size_px, 3), rgb, np.uint8)


RED, BLUE = (255, 0, 0), (0, 0, 255)


def test_all_faces_go_back_to_their_places(two: Path) -> None:
    with FaceFinder() as finder:
        portraits = open_portraits(two, 64, finder, "all", paste_back=True, for_video=True)
    left, right = portraits.squares
    assert left.left_px + left.side_px / 2 < 320 < right.left_px + right.side_px / 2
    assert len(portraits.poses_deg) == 2
    source = load_picture(two)
    for picture, square in zip(portraits.pictures, portraits.squares, strict=True):
        np.testing.assert_array_equal(picture, cut(source, square, 64))
    assert portraits.result_px == (638, 318)  # a video's sides are even
    whole = portraits.compose([colour(64, RED), colour(64, BLUE)])
    assert whole.shape == (318, 638, 3)
    for square, rgb in ((left, RED), (right, BLUE)):
        middle = square.top_px + square.side_px // 2, square.left_px + square.side_px // 2
        assert tuple(whole[middle]) == rgb
    np.testing.assert_array_equal(whole[:4, :4], source[:4, :4])  # and nothing else is touched


def test_one_face_of_two(two: Path) -> None:
    with FaceFinder() as finder:
        with pytest.raises(UserError, match="2 faces in"):
            open_portraits(two, 64, finder)
        both = open_portraits(two, 64, finder, "all")
        for choice, place in (("leftmost", 0), ("1", 0), ("2", 1)):
            chosen = open_portraits(two, 64, finder, choice, paste_back=True)
            assert chosen.squares == [both.squares[place]]
            np.testing.assert_array_equal(chosen.poses_deg[0], both.poses_deg[place])
    assert chosen.result_px == (639, 319)  # a picture keeps its size


def test_without_paste_back_the_result_is_the_models_own(two: Path) -> None:
    portraits = open_portraits(two, 64, None)
    assert portraits.result_px == (64, 64)
    assert portraits.poses_deg == []
    result = colour(64, RED)
    assert portraits.compose([result]) is result


def test_the_middle_goes_back_too(two: Path) -> None:
    portraits = open_portraits(two, 64, None, paste_back=True)
    whole = portraits.compose([colour(64, RED)])
    assert tuple(whole[159, 319]) == RED
    np.testing.assert_array_equal(whole[:, :150], load_picture(two)[:, :150])
