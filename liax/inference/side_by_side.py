"""Pictures next to each other, for people to compare."""

from collections.abc import Sequence

import cv2
import numpy as np

from liax.pictures import Picture

LEAST_PANEL_PX = 256
"""Smaller pictures are enlarged to this, so that a 64 px model's result can be looked at."""


def panel_px(size_px: int) -> int:
    """Side of each panel for pictures of this size."""
    return max(size_px, LEAST_PANEL_PX)


def side_by_side(pictures: Sequence[Picture]) -> Picture:
    """Square pictures of one size in a row: uint8 P×nP×3, with P = panel_px(size)."""
    side = panel_px(pictures[0].shape[0])
    panels = [cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC) for picture in pictures]
    return np.concatenate(panels, axis=1).astype(np.uint8)
