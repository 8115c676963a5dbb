"""Small pictures for the report: the source's frame with the box drawn on it, and the clip's frame beside it."""

import numpy as np
from numpy.typing import NDArray

HEIGHT_PX = 192
FRAME_WIDTH_PX = 256
GREEN, RED, GREY = (60, 220, 90), (240, 70, 60), 40


def preview(
    picture_HWC: NDArray[np.uint8],
    box_px: tuple[float, float, float, float] | None,
    clip_HWC: NDArray[np.uint8] | None,
) -> bytes:
    """A JPEG of fixed size: the frame, shrunk to fit, and to its right the clip.

    Args:
        picture_HWC: uint8 RGB frame of the source.
        box_px: left, top, right, bottom to draw: green round a kept clip's crop, red round a rejected face.
        clip_HWC: uint8 RGB frame of the clip; None for what was rejected.
    """
    import cv2

    height_px, width_px = picture_HWC.shape[:2]
    scale = min(HEIGHT_PX / height_px, FRAME_WIDTH_PX / width_px)
    shown = cv2.resize(
        picture_HWC, (max(1, round(width_px * scale)), max(1, round(height_px * scale))), interpolation=cv2.INTER_AREA
    )
    if box_px is not None:
        left, top, right, bottom = (round(edge * scale) for edge in box_px)
        cv2.rectangle(shown, (left, top), (right - 1, bottom - 1), RED if clip_HWC is None else GREEN, 2)
    sheet = np.full((HEIGHT_PX, FRAME_WIDTH_PX + HEIGHT_PX, 3), GREY, dtype=np.uint8)
    above, before = (HEIGHT_PX - shown.shape[0]) // 2, (FRAME_WIDTH_PX - shown.shape[1]) // 2
    sheet[above : above + shown.shape[0], before : before + shown.shape[1]] = shown
    if clip_HWC is not None:
        sheet[:, FRAME_WIDTH_PX:] = cv2.resize(clip_HWC, (HEIGHT_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA)
    return bytes(cv2.imencode(".jpg", sheet[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1])
