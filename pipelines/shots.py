"""Stage 3, shots: where a video cuts to another picture, and where it is black or stands still."""

from pydantic import Field

from liax.config import Config


class ShotsConfig(Config):
    """How cuts, black and frozen spans are found. Tracks cross none of them."""

    cut_threshold: float | None = Field(default=3.0, gt=0)
    """A cut is where a picture differs from the one before this many times as much as its neighbours do
    (`AdaptiveDetector` of PySceneDetect); null looks for no cuts."""
    black_luma: float | None = Field(default=24.0, ge=0, le=255)
    """A picture is black when its mean brightness (0 to 255) is below this; null drops no black spans."""
    least_black_s: float = Field(default=0.5, gt=0)
    """Black spans shorter than this are kept."""
    frozen_difference: float | None = Field(default=0.05, ge=0)
    """A picture stands still when it differs from the one before by less than this in the mean over its pixels (0 to
    255); null drops no frozen spans."""
    least_frozen_s: float = Field(default=2.0, gt=0)
    """Frozen spans shorter than this are kept."""
