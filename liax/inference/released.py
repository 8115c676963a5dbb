"""The names that the release gives to directions of its own checkpoint, with the ranges of their sliders."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """A name for the sum of some directions, and how far they can be moved before the picture breaks."""

    indices: tuple[int, ...]
    span: tuple[float, float]


_TURN, _HEAD, _MOUTH, _EYES, _EYEBALLS = (-1.0, 0.5), (-0.5, 0.5), (-0.4, 0.4), (-0.4, 0.4), (-0.2, 0.2)
RELEASED: dict[str, Named] = {
    "yaw": Named((37, 39), _TURN),
    "yaw1": Named((37,), _TURN),
    "yaw2": Named((39,), _TURN),
    "pitch": Named((28,), _TURN),
    "roll": Named((15, 33), _HEAD),
    "roll1": Named((15,), _HEAD),
    "roll2": Named((33,), _HEAD),
    "neck": Named((31,), _HEAD),
    "pout": Named((6,), _MOUTH),
    "mouth": Named((25,), _MOUTH),  # closes to the one side, opens to the other
    "mouth_o": Named((16,), _MOUTH),
    "cheek": Named((19,), _MOUTH),
    "eyes": Named((13,), _EYES),  # closed to open
    "eyebrows": Named((24,), _EYES),
    "eyeballs": Named((17, 26), _EYEBALLS),
    "eyeballs1": Named((17,), _EYEBALLS),
    "eyeballs2": Named((26,), _EYEBALLS),
}
"""The released checkpoint's directions as its authors label them, with the ranges of their sliders.

They hold for that checkpoint only, and only until it has been measured: in another dictionary the meaning of a
direction is another, and these have no units. Source: the released LIA-X demo (arXiv 2508.09959).
"""
RELEASED_DIRECTIONS = 40
