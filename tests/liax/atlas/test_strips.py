"""Strips of pictures: everything in its place, whatever its size."""

import io

import numpy as np
import pytest
from PIL import Image

from liax.atlas.strips import GAP_PX, LINE_PX, TILE_PX, level_text, strip, to_jpeg
from liax.pictures import Picture

STEP = TILE_PX + GAP_PX


def plain(value: int, height: int = 64, width: int = 64) -> Picture:
    return np.full((height, width, 3), value, np.uint8)


def test_every_picture_is_in_its_place() -> None:
    values = [[40, 80, 120], [160, 200, 240]]
    made = strip([[plain(value) for value in row] for row in values], [-1.0, 0.0, 1.0], "direction 3")
    assert made.dtype == np.uint8
    assert made.shape == (2 * LINE_PX + 2 * STEP - GAP_PX, 3 * STEP - GAP_PX, 3)
    for row, of_row in enumerate(values):
        for column, value in enumerate(of_row):
            middle = made[2 * LINE_PX + row * STEP + TILE_PX // 2, column * STEP + TILE_PX // 2]
            assert (middle == value).all()


def test_there_is_text_above() -> None:
    with_label, without = (strip([[plain(9)]], ["top"], label) for label in ("yaw, deg", ""))
    assert with_label.shape[0] - without.shape[0] == LINE_PX
    assert (with_label[:LINE_PX] < 128).any()
    assert (without[:LINE_PX] < 160).any(), "the column's"


@pytest.mark.parametrize("shape", [(300, 200), (16, 16), (1, 500), (80, 80)])
def test_pictures_of_any_size_are_shown_whole(shape: tuple[int, int]) -> None:
    made = strip([[plain(0, *shape)]], [0.0])
    tile = made[LINE_PX:]
    assert tile.shape == (TILE_PX, TILE_PX, 3)
    assert (tile[:, TILE_PX // 2] < 200).any()
    if shape[0] != shape[1]:
        assert (tile[0, 0] == 255).all(), "beside it is paper"


def test_a_picture_too_few_is_refused() -> None:
    for pictures, levels in ([], [0.0]), ([[plain(0)]], []), ([[plain(0)]], [0.0, 1.0]):
        with pytest.raises(ValueError, match="a picture for each"):
            strip(pictures, levels)


def test_levels_as_text() -> None:
    assert [level_text(level) for level in (0.0, 0.25, -1.0, 12.4)] == ["0", "+0.25", "−1", "+12"]


def test_a_small_file() -> None:
    made = strip([[plain(value) for value in range(9)] for _ in range(3)], list(range(-4, 5)))
    data = to_jpeg(made)
    assert Image.open(io.BytesIO(data)).size == (made.shape[1], made.shape[0])
    assert len(to_jpeg(made, quality=20)) < len(data)
