"""What a face shows, as numbers with names and units; and the controls that people know, each made of some of them.

MediaPipe (`liax.face`) measures. Left and right are the subject's; signs are the project's (`liax.face`).

Shapes: A attributes, C controls.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liax.face import BLENDSHAPES, Face

POSE = ("yaw", "pitch", "roll")
PLACE = ("x", "y", "size")
ATTRIBUTES: tuple[str, ...] = (*POSE, *PLACE, *BLENDSHAPES[1:])
"""Head pose in degrees; the landmarks' box in shares of the picture's side (its middle, x to the right, y down; its
longer side); MediaPipe's blendshapes, 0…1, without `_neutral`, which says nothing."""

DEGREES, SIDES, SHARE = "deg", "side", "share"
"""Units: degrees; the picture's side; a blendshape's 0…1 (differences of two: -1…1)."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A control: a weighted sum of attributes.

    Args:
        unit: of the sum.
        weights: by attribute.
        least_span: a control that cannot move its sum by this much, from end to end of its safe range, is of no use.
        error: mean distance from what was asked for, on people it was not fitted on, that a certified control keeps.
        meaning: one line for people: what a positive value does.
    """

    unit: str
    weights: Mapping[str, float]
    least_span: float
    error: float
    meaning: str


def _degrees(name: str, meaning: str) -> Definition:
    return Definition(DEGREES, {name: 1.0}, least_span=6.0, error=2.0, meaning=meaning)


def _place(name: str, meaning: str) -> Definition:
    return Definition(SIDES, {name: 1.0}, least_span=0.03, error=0.01, meaning=meaning)


def _shape(meaning: str, *names: str, against: tuple[str, ...] = ()) -> Definition:
    """The mean of blendshapes, less the mean of those against them."""
    weights = {name: 1 / len(names) for name in names} | {name: -1 / len(against) for name in against}
    return Definition(SHARE, weights, least_span=0.15, error=0.05, meaning=meaning)


def _both(name: str) -> tuple[str, str]:
    return f"{name}Left", f"{name}Right"


CONTROLS: dict[str, Definition] = {
    "yaw": _degrees("yaw", "the head turns to its left"),
    "pitch": _degrees("pitch", "the head looks up"),
    "roll": _degrees("roll", "the head tilts to its left"),
    "x": _place("x", "the face moves right in the picture"),
    "y": _place("y", "the face moves down in the picture"),
    "size": _place("size", "the face grows"),
    "mouth_open": _shape("the mouth opens", "jawOpen"),
    "smile": _shape("the mouth smiles", *_both("mouthSmile")),
    "frown": _shape("the corners of the mouth go down", *_both("mouthFrown")),
    "pucker": _shape("the lips pucker", "mouthPucker"),
    "mouth_o": _shape("the lips form an O", "mouthFunnel"),
    "mouth_left": _shape("the mouth goes to the subject's left", "mouthLeft", against=("mouthRight",)),
    "jaw_left": _shape("the jaw goes to the subject's left", "jawLeft", against=("jawRight",)),
    "brow_raise": _shape("the eyebrows rise", "browInnerUp", *_both("browOuterUp")),
    "brow_frown": _shape("the eyebrows draw down", *_both("browDown")),
    "blink": _shape("both eyes close", *_both("eyeBlink")),
    "blink_left": _shape("the subject's left eye closes", "eyeBlinkLeft"),
    "blink_right": _shape("the subject's right eye closes", "eyeBlinkRight"),
    "squint": _shape("the eyes narrow", *_both("eyeSquint")),
    "eyes_wide": _shape("the eyes open wide", *_both("eyeWide")),
    "gaze_x": _shape(
        "the eyes look to the subject's left",
        "eyeLookOutLeft",
        "eyeLookInRight",
        against=("eyeLookInLeft", "eyeLookOutRight"),
    ),
    "gaze_y": _shape("the eyes look up", *_both("eyeLookUp"), against=_both("eyeLookDown")),
    "cheek": _shape("the cheeks puff", "cheekPuff"),
    "sneer": _shape("the nose wrinkles", *_both("noseSneer")),
}
"""By name. The spans and errors are our choice: about what one sees at a glance, and what one overlooks."""

_PLACES = {name: place for place, name in enumerate(ATTRIBUTES)}


def attributes_of(face: Face, side_px: int) -> NDArray[np.float32]:
    """What a face in a square picture of this side shows: float32 A, in the order of `ATTRIBUTES`."""
    left, top, right, bottom = face.box_px
    place_3 = np.array([(left + right) / 2, (top + bottom) / 2, face.side_px], dtype=np.float32) / side_px
    return np.concatenate([face.head_pose_deg, place_3, face.blendshapes_S[1:]]).astype(np.float32)


def readout(names: tuple[str, ...] | None = None) -> NDArray[np.float64]:
    """R_CA: attributes_A @ R.T gives the controls' values, in the order of `names` (of `CONTROLS`)."""
    chosen = tuple(CONTROLS) if names is None else names
    readout_CA = np.zeros((len(chosen), len(ATTRIBUTES)))
    for row, name in enumerate(chosen):
        for attribute, weight in CONTROLS[name].weights.items():
            readout_CA[row, _PLACES[attribute]] = weight
    return readout_CA


def kin(one: str, other: str) -> bool:
    """Whether two controls are made of a common attribute, so that the one cannot move without the other."""
    return not CONTROLS[one].weights.keys().isdisjoint(CONTROLS[other].weights)
