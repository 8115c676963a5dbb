"""A still: one frame of a clip, decoded, for what is measured in pictures. Shapes: H W pixels, C = 3 RGB."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Still:
    """One frame of a clip.

    Args:
        frame: its number in the clip.
        picture_HWC: uint8 RGB.
    """

    frame: int
    picture_HWC: NDArray[np.uint8]
