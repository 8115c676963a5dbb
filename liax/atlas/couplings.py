"""Which controls the observer itself ties together: while the one is moved, however purely, the other is read as moved.

Such a change is measured and told as any other (and can be made up for in use), but as much of it as the observer adds
by itself is neither held against a control nor fought by other directions: that would make the face wrong to make the
reading right. What is beyond that is the model's doing, and counts.

Each tie goes one way only, from what is moved to what is read besides, and has its reason and its size. So closed eyes
may read as eyes that look down, but a control of the gaze that closes the eyes is none. The size is what was measured:
SDs of the second for one SD of the first, where a mesh warp moves nothing but the first (`liax.synthetic.animator`, ten
people). What is below a quarter would not hold a control back and is no tie. Never tied are the two eyes' lids (what
closes both is no wink), nor parts of the face that are not read from each other, as brows from lids (0.4).
"""

from dataclasses import dataclass

from liax.attributes import CONTROLS, kin


@dataclass(frozen=True, slots=True)
class Tie:
    """What one control's reading owes to another that is moved.

    Args:
        sds: so many SDs of it for one SD of the one that is moved.
        why: the reason.
    """

    sds: float
    why: str


_LIDS = ("blink", "blink_left", "blink_right")
_BOX = "place and size are read from the box round the landmarks, and the head turns and the chin moves within it"
_TURNED = "gaze and lids are read as they look from the camera, and eyes that are turned away look narrower and aside"
_GAZE = "gaze is read from what the lids show of the iris"
_OPENING = "how narrow or wide eyes are is read from how far the lids are apart"
_LIPS = "how round the lips are is read from their outline, which an open jaw makes rounder"

COUPLINGS: dict[tuple[str, str], Tie] = {
    ("yaw", "x"): Tie(0.5, _BOX),
    ("roll", "x"): Tie(0.6, _BOX),
    ("pitch", "y"): Tie(1.1, _BOX),
    ("mouth_open", "y"): Tie(0.3, _BOX),
    ("mouth_open", "size"): Tie(0.4, _BOX),
    ("yaw", "gaze_x"): Tie(0.5, _TURNED),
    ("pitch", "gaze_y"): Tie(0.4, _TURNED),
    ("pitch", "squint"): Tie(0.5, _TURNED),
    ("pitch", "eyes_wide"): Tie(0.3, _TURNED),
    ("blink", "gaze_x"): Tie(0.3, _GAZE),
    ("blink", "gaze_y"): Tie(1.0, _GAZE),
    **{(one, "gaze_x"): Tie(1.1, _GAZE) for one in _LIDS[1:]},
    **{(one, "gaze_y"): Tie(1.0, _GAZE) for one in _LIDS[1:]},
    **{(one, "squint"): Tie(0.7, _OPENING) for one in _LIDS},
    **{(one, "eyes_wide"): Tie(0.5, _OPENING) for one in _LIDS},
    ("mouth_open", "mouth_o"): Tie(0.3, _LIPS),
}
"""By what is moved and what is read."""


def others(moved: str) -> list[str]:
    """The controls that should stay as they are while one is moved."""
    return [read for read in CONTROLS if read != moved and not kin(moved, read)]


def tied_sds(moved: str, read: str) -> float:
    """How many SDs of the second control the observer reads by itself for one SD of the first; 0 without a tie."""
    tie = COUPLINGS.get((moved, read))
    return 0.0 if tie is None else tie.sds
