"""Which controls the observer itself ties together: while the one is moved, however purely, the other is read as moved.

Such a change is measured and told as any other (and can be made up for in use), but it is neither held against a control
nor fought by other directions: that would make the face wrong to make the reading right.

Each tie goes one way, from what is moved to what is read, and has its reason: geometry of how a control is defined, or a
part of the face that two controls are both read from. What was measured is in brackets: SDs of the second for one SD of
the first, where a mesh warp moves nothing but the first (`liax.synthetic.animator`, ten people); ties below a quarter,
which would not hold a control back, are not listed on that ground. Never tied are the two eyes' lids: what closes both is
no wink; nor anything to a part of the face that is read elsewhere, as brows by a blink (0.4).
"""

from collections.abc import Iterator

from liax.attributes import CONTROLS, kin

_LIDS = ("blink", "blink_left", "blink_right")
_GEOMETRY = "the box round the landmarks, by which place and size are read, has the nose, the chin and one ear in it"
_GAZE = "gaze is read from what the lids show of the iris"
_OPENING = "all are read from how far the lids are apart"
_TURNED = (
    "eyes that keep looking at the camera look aside for a head that turns, and lids seen from below look narrower"
)
_LIPS = "lips that go forward and lips that round are one muscle, and are read from one outline"


def _ties(moved: tuple[str, ...], read: tuple[str, ...], why: str) -> Iterator[tuple[tuple[str, str], str]]:
    return (((one, other), why) for one in moved for other in read if one != other)


COUPLINGS: dict[tuple[str, str], str] = dict(
    [
        *_ties(("yaw",), ("x", "size"), _GEOMETRY),  # x 0.5
        *_ties(("pitch",), ("y", "size"), _GEOMETRY),  # y 1.1
        *_ties(("roll",), ("x", "y", "size"), _GEOMETRY),  # x 0.6: the neck does not move
        *_ties(("mouth_open",), ("y", "size"), _GEOMETRY),  # size 0.4, y 0.3
        *_ties(("yaw",), ("gaze_x",), _TURNED),  # 0.5
        *_ties(("pitch",), ("gaze_y", "squint", "eyes_wide"), _TURNED),  # 0.4, 0.5, 0.3
        *_ties(_LIDS, ("gaze_x", "gaze_y"), _GAZE),  # 0.3 to 1.1, 1.0
        *_ties(_LIDS, ("squint", "eyes_wide"), _OPENING),  # 0.7, 0.5
        *_ties(
            ("squint", "eyes_wide", "gaze_y"), (*_LIDS, "squint", "eyes_wide"), _OPENING
        ),  # the lid follows the gaze
        *_ties(("squint", "eyes_wide"), ("gaze_y",), _GAZE),
        *_ties(("mouth_open",), ("mouth_o",), _LIPS),  # 0.3
        *_ties(("pucker", "mouth_o"), ("pucker", "mouth_o"), _LIPS),
    ]
)
"""By what is moved and what is read: why."""


def apart(moved: str, read: str) -> bool:
    """Whether a change of the second control, while the first is moved, is the model's doing."""
    return moved != read and not kin(moved, read) and (moved, read) not in COUPLINGS


def others(moved: str) -> list[str]:
    """The controls that should stay as they are while one is moved."""
    return [read for read in CONTROLS if apart(moved, read)]
