"""A clip's chosen frames, and what the faces in them show.

Legend: F frames, A attributes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liax.attributes import ATTRIBUTES, attributes_of
from liax.errors import VideoError
from liax.evaluation.clips import Clip, opened, spread
from liax.face import FaceFinder
from liax.pictures import Picture

Frames = tuple[NDArray[np.int64], list[Picture]]
"""Their numbers F in the clip, from 0, and the pictures, uint8."""

NO_FRAMES: Frames = (np.zeros(0, dtype=np.int64), [])


def read_frames(clip: Clip, size_px: int, finder: FaceFinder | None, most: int, *, first: bool = False) -> Frames:
    """At most so many frames, evenly spread.

    Args:
        size_px, finder: see `liax.evaluation.clips.opened`.
        first: also the first frame, whether or not it is among them, and at least one other.

    Raises:
        VideoError: the clip cannot be used, or has no such frames.
    """
    with opened(clip, size_px, finder) as footage:
        wanted = spread(footage.frames_estimate, most) | ({0} if first else set())
        found = {number: picture for number, picture in enumerate(footage.pictures()) if number in wanted}
    if len(found) < (2 if first else 1):
        raise VideoError(clip.name, "no_frames")
    return np.array(list(found), dtype=np.int64), list(found.values())


def attributes_in(pictures: Sequence[Picture], finder: FaceFinder) -> NDArray[np.float32]:
    """What the largest face of each square picture shows: F×A, NaN where there is none."""
    attributes_FA = np.full((len(pictures), len(ATTRIBUTES)), np.nan, dtype=np.float32)
    for place, picture in enumerate(pictures):
        faces = finder.find(picture)
        if faces:
            attributes_FA[place] = attributes_of(faces[0], picture.shape[0])
    return attributes_FA
