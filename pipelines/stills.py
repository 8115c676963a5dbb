"""A still: one frame of a clip, decoded, for what is measured in pictures. Shapes: H W pixels, C = 3 RGB."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liax.video.stills import key_frames

MOST_STILLS = 16
"""Stills of one clip. Our choice: a clip shows one person in one shot for some 20 s at most, and the
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


def spread(count: int, most: int) -> list[int]:
    """At most so many of the indices below `count`, evenly spread from the first to the last."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most)).tolist()})


def stills_of(clip: Path, keyframes: Sequence[int]) -> list[Still]:
    """Key frames of a clip, at most MOST_STILLS, in their order.

    Args:
        clip: the video file.
        keyframes: numbers of all its key frames.

    Raises:
        VideoError: the clip cannot be decoded.
    """
    places = spread(len(keyframes), MOST_STILLS)
    pictures = key_frames(clip, frozenset(places))
    return [Still(keyframes[place], picture_HWC) for place, (_, picture_HWC) in zip(places, pictures, strict=True)]
