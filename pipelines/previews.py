"""Small pictures for the report: the source's frame with the box drawn on it, and the clip's frame beside it."""

import numpy as np
from numpy.typing import NDArray

from liax.crop import rotation

HEIGHT_PX = 192
FRAME_WIDTH_PX = 256
GREEN, RED, GREY = (60, 220, 90), (240, 70, 60), 40


def preview(
    picture_HWC: NDArray[np.uint8],
    box_px: tuple[float, float, float, float] | None,
    clip_HWC: NDArray[np.uint8] | None,
    turn_deg: float = 0.0,
) -> bytes:
    """A JPEG of fixed size: the frame, shrunk to fit, and to its right the clip.

    Args:
        picture_HWC: uint8 RGB frame of the source.
        box_px: left, top, right, bottom to draw: green round a kept clip's crop, red round a rejected face.
        clip_HWC: uint8 RGB frame of the clip; None for what was rejected.
        turn_deg: the box is turned by this about its centre, clockwise.
    """
    import cv2

    height_px, width_px = picture_HWC.shape[:2]
    scale = min(HEIGHT_PX / height_px, FRAME_WIDTH_PX / width_px)
    shown = cv2.resize(
        picture_HWC, (max(1, round(width_px * scale)), max(1, round(height_px * scale))), interpolation=cv2.INTER_AREA
    )
    if box_px is not None:
        _draw(np.asarray(shown, dtype=np.uint8), np.array(box_px) * scale, turn_deg, RED if clip_HWC is None else GREEN)
    sheet = np.full((HEIGHT_PX, FRAME_WIDTH_PX + HEIGHT_PX, 3), GREY, dtype=np.uint8)
    above, before = (HEIGHT_PX - shown.shape[0]) // 2, (FRAME_WIDTH_PX - shown.shape[1]) // 2
    sheet[above : above + shown.shape[0], before : before + shown.shape[1]] = shown
    if clip_HWC is not None:
        sheet[:, FRAME_WIDTH_PX:] = cv2.resize(clip_HWC, (HEIGHT_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1])


def _draw(
    picture_HWC: NDArray[np.uint8], box_4: NDArray[np.float64], turn_deg: float, colour: tuple[int, int, int]
) -> None:
    import cv2

    left, top, right, bottom = box_4
    center_2 = np.array([left + right, top + bottom]) / 2
    corners_42 = np.array([[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]])
    turned_42 = (corners_42 - center_2) @ rotation(turn_deg).T + center_2
    cv2.polylines(picture_HWC, [turned_42.round().astype(np.int32)], isClosed=True, color=colour, thickness=2)
