"""What a finished animation is, to those who asked for it."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Animation:
    """A video that was written: its number of frames, constant rate and size."""

    frames: int
    fps: Fraction
    width_px: int
    height_px: int
