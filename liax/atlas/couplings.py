"""Which controls the observer itself ties together: what moves the one cannot but be read as a change of the other.

Such a change is measured and told as any other, but neither held against a control nor fought by other directions:
that would make the face wrong to make the reading right. Ties go one way each, from what is moved to what is read.
"""

from liax.attributes import CONTROLS, kin

COUPLINGS: dict[tuple[str, str], str] = {}
"""By what is moved and what is read: why."""


def apart(moved: str, read: str) -> bool:
    """Whether a change of the second control, while the first is moved, is the model's doing."""
    return moved != read and not kin(moved, read) and (moved, read) not in COUPLINGS


def others(moved: str) -> list[str]:
    """The controls that should stay as they are while one is moved."""
    return [read for read in CONTROLS if apart(moved, read)]
