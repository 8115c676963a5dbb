"""Whether a control of both sides of the face moves both: a smile of one corner is none, nor is a blink of one eye.

Shapes: A attributes.
"""

import numpy as np
from numpy.typing import NDArray

from liax.attributes import ATTRIBUTES, CONTROLS

_DIRECTIONS = ("mouthLeft", "mouthRight", "jawLeft", "jawRight")
"""Their names say where to, and not on which side."""


def left_less_right(name: str) -> NDArray[np.float64] | None:
    """A control's weights_A with those of the right side of the face below 0: how much more the left side moves.

    None for a control that is not of both sides.
    """
    difference_A, there = np.zeros(len(ATTRIBUTES)), set[float]()
    for attribute, weight in CONTROLS[name].weights.items():
        side = _side(attribute)
        there.add(side)
        difference_A[ATTRIBUTES.index(attribute)] = side * weight
    return difference_A if {-1.0, 1.0} <= there else None


def _side(attribute: str) -> float:
    """1 for the left, -1 for the right, 0 for neither."""
    if attribute in _DIRECTIONS:
        return 0.0
    return 1.0 if attribute.endswith("Left") else -1.0 if attribute.endswith("Right") else 0.0
