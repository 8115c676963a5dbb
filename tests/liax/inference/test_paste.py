"""Results go back to where their square was cut from, and fade into the picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liax.crop import Square, cut
from liax.inference.paste import FEATHER, even, paste

HEIGHT_PX, WIDTH_PX = 90, 120
INSIDE = Square(30, 20, 50)
ON_BORDERS = [Square(0, 20, 50), Square(70, 0, 50), Square(20, 40, 50), Square(0, 0, 90)]
PADDED = [Square(-20, 20, 50, True), Square(90, 60, 50, True), Square(-30, -40, 200, True)]
SQUARES = [INSIDE, *ON_BORDERS, *PADDED]


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (HEIGHT_PX, WIDTH_PX, 3), np.uint8)


def seen(square: Square) -> np.ndarray:
    """How much of the result is seen in each pixel of the picture, 0…1: white pasted into black."""
    black = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    return paste(black, np.full((64, 64, 3), 255, np.uint8), square)[..., 0] / 255


@pytest.mark.parametrize("square", SQUARES)
def test_a_crop_pasted_back_gives_the_picture(square: Square) -> None:
    picture = noise()
    before = picture.copy()
    assert np.array_equal(paste(picture, cut(picture, square, square.side_px), square), picture)
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("square", SQUARES)
@pytest.mark.parametrize("size_px", [64, 128])
def test_a_resampled_crop_goes_back_to_its_place(square: Square, size_px: int) -> None:
    """A slope in both directions: half a pixel off would show as a level or more everywhere."""
    down, across = np.mgrid[:HEIGHT_PX, :WIDTH_PX]
    picture = np.stack([down * 2, across * 2, down + across], axis=-1).astype(np.uint8)
    difference = paste(picture, cut(picture, square, size_px), square).astype(int) - picture
    inner = difference[4:-4, 4:-4]  # beyond the border there is no slope, but the repeated edge
    assert np.abs(inner).max() <= 2
    assert np.abs(inner.mean(axis=(0, 1))).max() < 0.3


@given(st.integers(0, 60), st.integers(0, 40), st.integers(10, 25))
@settings(max_examples=30)
def test_only_the_square_is_changed(left: int, top: int, half: int) -> None:
    square = Square(left, top, 2 * half)
    outside = seen(square)
    outside[top : top + 2 * half, left : left + 2 * half] = 0
    assert not outside.any()


@pytest.mark.parametrize("square", SQUARES)
def test_the_edge_rises_steadily_to_the_whole_result(square: Square) -> None:
    shown = seen(square)
    left, top = max(0, square.left_px), max(0, square.top_px)
    right, bottom = min(WIDTH_PX, square.left_px + square.side_px), min(HEIGHT_PX, square.top_px + square.side_px)
    across = shown[(top + bottom) // 2, left:right]
    down = shown[top:bottom, (left + right) // 2]
    for line, starts_inside, ends_inside in (
        (across, square.left_px > 0, square.left_px + square.side_px < WIDTH_PX),
        (down, square.top_px > 0, square.top_px + square.side_px < HEIGHT_PX),
    ):
        feather = round(np.ceil(FEATHER * square.side_px))
        assert (line[feather:-feather] == 1).all()
        assert (np.diff(line[: feather + 1]) >= 0).all()
        assert (np.diff(line[-feather - 1 :]) <= 0).all()
        assert (line[0] < 0.5) == starts_inside  # at the picture's border nothing fades
        assert (line[-1] < 0.5) == ends_inside


@pytest.mark.parametrize(("height_px", "width_px"), [(5, 7), (4, 7), (5, 6), (4, 6)])
def test_even_leaves_out_the_last_odd_row_and_column(height_px: int, width_px: int) -> None:
    picture = np.zeros((height_px, width_px, 3), np.uint8)
    assert even(picture).shape == (4, 6, 3)
