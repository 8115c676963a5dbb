"""Strips of small pictures, to see at a glance what a path does: a row for each person, a column for each level.

Shapes: H W pixels, C colours.
"""

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from liax.pictures import Picture

TILE_PX, LINE_PX, GAP_PX = 80, 18, 2
"""Side of each picture, height of a line of text, and what is left between them. Our choice: nine levels of a few
people are a few tens of kB, and fit a page's width."""
TEXT_PX = 11
QUALITY = 78
"""Of the JPEG."""
_PAPER, _INK, _FAINT = (255, 255, 255), (28, 28, 28), (110, 110, 110)


def strip(pictures: Sequence[Sequence[Picture]], levels: Sequence[float | str], label: str = "") -> Picture:
    """Pictures in rows and columns with what they are above them: uint8 H×W×3.

    Args:
        pictures: by person and level; uint8 H×W×3, any sizes.
        levels: of the columns: numbers are written with their sign, and 0 as `0`.
        label: a line above; none if empty.

    Raises:
        ValueError: there are no pictures, or a row has not one for each level.
    """
    if not pictures or not levels or any(len(row) != len(levels) for row in pictures):
        raise ValueError(f"a strip needs a picture for each of its {len(levels)} levels in every row")
    step = TILE_PX + GAP_PX
    top = LINE_PX * (2 if label else 1)
    sheet = Image.new("RGB", (step * len(levels) - GAP_PX, top + step * len(pictures) - GAP_PX), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = _font()
    if label:
        draw.text((2, LINE_PX / 2), label, _INK, font, anchor="lm")
    for column, level in enumerate(levels):
        text = level if isinstance(level, str) else level_text(level)
        middle = (column * step + TILE_PX / 2, top - LINE_PX / 2)
        draw.text(middle, text, _INK if text == "0" else _FAINT, font, anchor="mm")
    for row, of_person in enumerate(pictures):
        for column, picture_HWC in enumerate(of_person):
            sheet.paste(_tile(picture_HWC), (column * step, top + row * step))
    return np.asarray(sheet, dtype=np.uint8)


def level_text(level: float) -> str:
    """A level as it is written above its column."""
    return "0" if level == 0 else f"{level:+.2g}".replace("-", "\N{MINUS SIGN}")


def to_jpeg(picture_HWC: Picture, quality: int = QUALITY) -> bytes:
    """A picture as a small file."""
    buffer = io.BytesIO()
    Image.fromarray(picture_HWC).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings: Pillow's own has neither − nor δ."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), TEXT_PX)


def _tile(picture_HWC: Picture) -> Image.Image:
    """The picture within a square of `TILE_PX`, whole, on white."""
    picture = Image.fromarray(picture_HWC)
    picture.thumbnail((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
    if max(picture.size) < TILE_PX:  # a 64 px model's result can be looked at, too
        scale = TILE_PX / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    tile = Image.new("RGB", (TILE_PX, TILE_PX), _PAPER)
    tile.paste(picture, ((TILE_PX - picture.width) // 2, (TILE_PX - picture.height) // 2))
    return tile
