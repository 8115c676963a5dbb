"""What a visitor's file must be before anything long is done with it."""

from pathlib import Path

from PIL import Image

from liax.errors import UserError, VideoError
from liax.inference.driving import MOST_FPS
from liax.ui.config import Limits
from liax.video.probe import probe

SPARE_FRAMES = 50
"""How many frames more than its length allows a video may have: files round."""


def check_picture(path: str | Path, limits: Limits) -> None:
    """Refuse a picture that is too large to be opened; whether it is one at all is said by whoever opens it."""
    try:
        with Image.open(path) as opened:
            width_px, height_px = opened.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return
    _check_size(width_px, height_px, limits)


def check_video(path: str | Path, limits: Limits) -> int:
    """Refuse a video that is too long or too large.

    Returns:
        How many frames it can have at most, if it is as long as it says.

    Raises:
        UserError: it is too long, too large, or does not say how long it is.
    """
    try:
        info = probe(path)
    except VideoError:
        return SPARE_FRAMES  # whoever opens it says what is wrong
    _check_size(info.width_px, info.height_px, limits)
    if info.duration_s > limits.video_s:
        raise UserError(f"the video is {info.duration_s:.0f} s long: give one of at most {limits.video_s:g} s")
    if info.duration_s <= 0:
        raise UserError("the video does not say how long it is: save it as an .mp4 first")
    return round(info.duration_s * float(MOST_FPS)) + SPARE_FRAMES


def _check_size(width_px: int, height_px: int, limits: Limits) -> None:
    if width_px * height_px > limits.picture_px:
        raise UserError(
            f"{width_px}×{height_px} pixels are too many: give at most {limits.picture_px / 1e6:.0f} megapixels"
        )
