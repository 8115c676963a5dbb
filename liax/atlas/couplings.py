"""Which controls the observer itself ties together: while the one is moved, however purely, the other is read as moved.

Such a change is measured and told as any other (and can be made up for in use), but it is neither held against a
control nor fought by other directions: that would make the face wrong to make the reading right.

Each tie goes one way only, from what is moved to what is read besides, and has its reason. So closed eyes may read as
eyes that look down, but a control of the gaze that closes the eyes is none. Behind each is what was measured: SDs of
the second for one SD of the first, where a mesh warp moves nothing but the first (`liax.synthetic.animator`, ten
people). What is below a quarter would not hold a control back and is no tie. Never tied are the two eyes' lids (what
closes both is no wink), nor parts of the face that are not read from each other, as brows from lids (0.4).
"""

from collections.abc import Iterator

from liax.attributes import CONTROLS, kin

_LIDS = ("blink", "blink_left", "blink_right")
_BOX = "place and size are read from the box round the landmarks, and the head turns and the chin moves within it"
_TURNED = "gaze and lids are read as they look from the camera, and eyes that are turned away look narrower and aside"
_GAZE = "gaze is read from what the lids show of the iris"
_OPENING = "how narrow or wide eyes are is read from how far the lids are apart"
_LIPS = "how round the lips are is read from their outline, which an open jaw makes rounder"


def _ties(moved: tuple[str, ...], read: tuple[str, ...], why: str) -> Iterator[tuple[tuple[str, str], str]]:
    return (((one, other), why) for one in moved for other in read)


COUPLINGS: dict[tuple[str, str], str] = dict(
    [
        *_ties(("yaw", "roll"), ("x",), _BOX),  # 0.5, 0.6
        *_ties(("pitch",), ("y",), _BOX),  # 1.1
        *_ties(("mouth_open",), ("y", "size"), _BOX),  # 0.3, 0.4
        *_ties(("yaw",), ("gaze_x",), _TURNED),  # 0.5
        *_ties(("pitch",), ("gaze_y", "squint", "eyes_wide"), _TURNED),  # 0.4, 0.5, 0.3
        *_ties(_LIDS, ("gaze_x", "gaze_y"), _GAZE),  # one lid 1.1 and 1.0, both 0.3 and 1.0
        *_ties(_LIDS, ("squint", "eyes_wide"), _OPENING),  # 0.7, 0.5
        *_ties(("mouth_open",), ("mouth_o",), _LIPS),  # 0.3
    ]
)
"""By what is moved and what is read: why."""


def apart(moved: str, read: str) -> bool:
    """Whether a change of the second control, while the first is moved, is the model's doing."""
    return moved != read and not kin(moved, read) and (moved, read) not in COUPLINGS


def others(moved: str) -> list[str]:
    """The controls that should stay as they are while one is moved."""
    return [read for read in CONTROLS if apart(moved, read)]
