"""What a source may be: beyond these limits it is rejected before anything is decoded."""

from fractions import Fraction

from pydantic import Field

from liax.config import Config


class LimitsConfig(Config):
    """Sources beyond these are rejected before anything is decoded."""

    longest_side_px: int = Field(default=8192, gt=0)
    """Of the picture."""
    most_pixels: int = Field(default=8192 * 4320, gt=0)
    """In one picture."""
    highest_fps: float = Field(default=1000.0, gt=0)
    """Frames a second."""
    longest_s: float = Field(default=6 * 3600.0, gt=0)
    """Of the video."""
    most_bytes: int = Field(default=64 * 1024**3, gt=0)
    """Of the file."""


def beyond(width_px: int, height_px: int, fps: Fraction, duration_s: float, limits: LimitsConfig) -> tuple[str, str]:
    """Reason and detail of the first limit that a source is beyond; both empty if it is within all."""
    if max(width_px, height_px) > limits.longest_side_px:
        return "picture_too_large", f"{width_px}x{height_px} px; the limit is {limits.longest_side_px} on a side"
    if width_px * height_px > limits.most_pixels:
        return "picture_too_large", f"{width_px}x{height_px} px; the limit is {limits.most_pixels} pixels"
    if fps > limits.highest_fps:
        return "too_many_frames_a_second", f"{float(fps):g}; the limit is {limits.highest_fps:g}"
    if duration_s > limits.longest_s:
        return "too_long", f"{duration_s:.0f} s; the limit is {limits.longest_s:.0f}"
    return "", ""
