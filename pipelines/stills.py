"""A still: one frame of a clip, decoded, for what is measured in pictures. Shapes: H W pixels, C = 3 RGB."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liax.video.stills import key_frames

MOST_STILLS = 16
"""Stills of one clip, evenly spread. Our choice: a clip shows one person in one shot for some 20 s at most, and the
memory for its pictures is bounded."""


@dataclass(frozen=True, slots=True)
class Still:
    """One frame of a clip.

    Args:
        frame: its number in the clip.
        picture_HWC: uint8 RGB.
    """

    frame: int
    picture_HWC: NDArray[np.uint8]


def stills_of(clip: Path, keyframes: Sequence[int]) -> list[Still]:
    """Key frames of a clip, at most MOST_STILLS, in their order.

    Args:
        clip: the video file.
        keyframes: numbers of all its key frames.

    Raises:
        VideoError: the clip cannot be decoded.
    """
    count = min(len(keyframes), MOST_STILLS)
    places = np.linspace(0, len(keyframes) - 1, count).round().astype(int).tolist()
    pictures = key_frames(clip, frozenset(places))
    return [Still(keyframes[place], picture_HWC) for place, (_, picture_HWC) in zip(places, pictures, strict=True)]
