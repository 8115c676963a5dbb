"""Pictures inside the page's HTML, so that no file is left of a preview.

Legend: H W pixels, C colours.
"""

import base64
import html
import io
from collections.abc import Iterable

import cv2
import numpy as np
from PIL import Image

from liax.attributes import DEGREES
from liax.pictures import Picture
from liax.ui.desk import Strip
from liax.ui.words import named, with_sign

PREVIEW_PX, STILL_PX = 768, 200
"""Longer sides of a preview and of a still of a sweep."""
QUALITY = 88
EMPTY = "<div class='empty'>Choose a picture: it is shown here as the model sees it.</div>"


def img(picture_HWC: Picture, longest_px: int, alt: str) -> str:
    """An <img> that holds the picture, no larger than that."""
    scale = longest_px / max(picture_HWC.shape[:2])
    if scale < 1:
        size = (max(1, round(picture_HWC.shape[1] * scale)), max(1, round(picture_HWC.shape[0] * scale)))
        picture_HWC = np.asarray(cv2.resize(picture_HWC, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(picture_HWC).save(buffer, "JPEG", quality=QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(alt, quote=True)}">'


def pair(still_HWC: Picture, moved_HWC: Picture) -> str:
    """A portrait and what became of it, side by side."""
    figures = [
        f"<figure>{img(picture, PREVIEW_PX, text)}<figcaption>{text}</figcaption></figure>"
        for picture, text in ((still_HWC, "as it is"), (moved_HWC, "moved"))
    ]
    return f"<div class='pair'>{''.join(figures)}</div>"


def strips(found: Iterable[Strip]) -> str:
    """One line of pictures for each direction, with the values under them."""
    parts = []
    for strip in found:
        label, unit = html.escape(named(strip.row.label, strip.row.unit)), strip.row.unit
        figures = [
            f"<figure>{img(picture, STILL_PX, f'{strip.row.label} at {value:+.2f}')}"
            f"<figcaption>{with_sign(value, unit if unit == DEGREES else '')}</figcaption></figure>"
            for value, picture in zip(strip.values, strip.pictures, strict=True)
        ]
        parts.append(f"<section class='strip'><h4>{label}</h4><div class='row'>{''.join(figures)}</div></section>")
    return "".join(parts)
