"""Putting a result back into the picture that its square was cut from, with soft edges.

Legend: H W pixels of the whole picture, S side of a result, C colours.
"""

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from liax.crop import Square
from liax.pictures import Picture

FEATHER = 0.08
"""Width of the soft edge as a share of the square's side. Our choice: the crop rule leaves a margin of about a fifth of
the side round the face, so the face itself is the result's alone."""


def even(picture_HWC: Picture) -> Picture:
    """A picture without its last row or column where it has an odd number of them, as a video needs (a view)."""
    height_px, width_px = picture_HWC.shape[:2]
    return picture_HWC[: height_px // 2 * 2, : width_px // 2 * 2]


def paste(canvas_HWC: Picture, result_SSC: Picture, square: Square) -> Picture:
    """The picture with the result in its square.

    Args:
        canvas_HWC: uint8 RGB; not changed.
        result_SSC: uint8 RGB of any size, for the whole square.
        square: in pixels of the canvas; what lies outside the canvas is left out. Its edges fade into the canvas
            over FEATHER of its side, but for those on or beyond the canvas's border.

    Returns:
        uint8 H×W×C, new.
    """
    height_px, width_px = canvas_HWC.shape[:2]
    mask_HW1 = _mask(square, width_px, height_px)
    top, left = max(0, square.top_px), max(0, square.left_px)
    inside = np.s_[top : top + mask_HW1.shape[0], left : left + mask_HW1.shape[1]]
    shrinks = square.side_px < result_SSC.shape[0]
    side = (square.side_px, square.side_px)
    whole = cv2.resize(result_SSC, side, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    top, left = top - square.top_px, left - square.left_px
    part = whole[top : top + mask_HW1.shape[0], left : left + mask_HW1.shape[1]].astype(np.float32)
    pasted = canvas_HWC.copy()
    pasted[inside] = np.rint(canvas_HWC[inside] + mask_HW1 * (part - canvas_HWC[inside]))
    return pasted


@functools.lru_cache(maxsize=16)
def _mask(square: Square, width_px: int, height_px: int) -> NDArray[np.float32]:
    """How much of the result is seen, 0…1: H×W×1 of the part of the square that lies in the picture."""
    across = _ramp(square.left_px, square.side_px, width_px)
    down = _ramp(square.top_px, square.side_px, height_px)
    mask_HW1 = (down[:, None] * across[None, :])[..., None]
    mask_HW1.setflags(write=False)
    return mask_HW1


def _ramp(start_px: int, side_px: int, length_px: int) -> NDArray[np.float32]:
    """The mask along one axis: up from the first edge, 1, and down to the second; no slope at the picture's border."""
    width = max(1.0, FEATHER * side_px)
    place = np.arange(side_px, dtype=np.float32) + 0.5
    from_start = place if start_px > 0 else np.full_like(place, width)
    from_end = side_px - place if start_px + side_px < length_px else np.full_like(place, width)
    share = np.clip(np.minimum(from_start, from_end) / width, 0, 1)
    smooth = share * share * (3 - 2 * share)  # without a visible kink at either end
    return np.asarray(smooth[max(0, -start_px) : length_px - start_px], dtype=np.float32)
