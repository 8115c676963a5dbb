"""The one crop rule, for training and for inference: one fixed square per clip, so that the crop itself never moves.

The square's size and place are the framing measured on the driving videos of the LIA-X release: the landmarks' union
is about 0.6 of the square's side, its centre at (0.50, 0.55). Per-frame alignment would erase the motion to be learnt.

Shapes: T frames, N landmarks, C coordinates (x, y and possibly z), H W pixels. Coordinates in pixels, x right, y down.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from liax.config import Config

TURNED_STEPS = 64
"""Sizes that are tried for a turned square, from the wanted one to the least."""


class CropConfig(Config):
    """How the square is laid round the face."""

    align: Literal["clip", "frame", "none"] = "clip"
    """`clip`: one fixed square for the whole clip. For other uses, `frame`: every frame by the face's own eyes and
    mouth, as in FFHQ, which takes the head's motion out; `none`: the fixed square at the source's own resolution."""
    roll: bool = False
    """With `align: clip`, turn the square by the face's mean roll over the clip, so that the face stands upright."""
    side_margin: float = Field(default=1.65, ge=1, le=10)
    """The square's side, as a multiple of the longer side of the landmarks' union."""
    center_x: float = Field(default=0.50, ge=0, le=1)
    """Where the union's centre lies in the square, 0 left to 1 right."""
    center_y: float = Field(default=0.55, ge=0, le=1)
    """Where the union's centre lies in the square, 0 top to 1 bottom."""
    low_percentile: float = Field(default=5.0, ge=0, le=100)
    """Over the clip's frames, the left and top edges of the union are this percentile of the frames' edges."""
    high_percentile: float = Field(default=95.0, ge=0, le=100)
    """The same for the right and bottom edges."""
    least_margin: float = Field(default=1.1, ge=1, le=10)
    """Where the square leaves the picture it is moved, then shrunk, but not below this multiple of the union."""
    most_cut_off: float = Field(default=0.05, ge=0, lt=1)
    """How much of the union, as a share of its longer side, may lie outside the picture (a chin below its edge)."""
    outside: Literal["reject", "pad"] = "reject"
    """What happens when even the least square leaves the picture: reject the clip, or pad and mark it so."""
    most_outside: float = Field(default=0.3, ge=0, lt=1)
    """With `align: frame`, whose squares cannot be moved: how much of a square may lie outside the picture, as a share
    of its area, in the worst frame. It repeats the picture's edge."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.least_margin > self.side_margin:
            raise ValueError(f"least_margin {self.least_margin} is above side_margin {self.side_margin}")
        if self.roll and self.align != "clip":
            raise ValueError(f"roll belongs to align 'clip', not to '{self.align}'")
        if self.low_percentile > self.high_percentile:
            raise ValueError(f"low_percentile {self.low_percentile} is above high_percentile {self.high_percentile}")
        return self


class CropRejected(Exception):  # noqa: N818 - an outcome with a reason, not a fault
    """No square fits; `str()` is the reason's short name."""


@dataclass(frozen=True, slots=True)
class Square:
    """A square of whole, even pixels (chroma is stored at half resolution), which may leave the picture when padded.

    `turn_deg`: it is turned by this about its centre, clockwise in the picture; left and top are those before the turn.
    """

    left_px: int
    top_px: int
    side_px: int
    padded: bool = False
    turn_deg: float = 0.0

    @property
    def center(self) -> tuple[float, float]:
        """Of the square, in pixels of the picture."""
        return self.left_px + self.side_px / 2, self.top_px + self.side_px / 2


def extents(landmarks_TNC: NDArray[np.floating]) -> NDArray[np.float64]:
    """Boxes around landmarks: T×4 (left, top, right, bottom) from T×N×C."""
    points_TN2 = np.asarray(landmarks_TNC, dtype=np.float64)[..., :2]
    return np.concatenate([points_TN2.min(axis=1), points_TN2.max(axis=1)], axis=1)


def robust_union(boxes_T4: NDArray[np.floating], config: CropConfig) -> NDArray[np.float64]:
    """The box (left, top, right, bottom) that holds the face over the clip, without its few most extreme frames."""
    left, top = np.percentile(boxes_T4[:, :2], config.low_percentile, axis=0)
    right, bottom = np.percentile(boxes_T4[:, 2:], config.high_percentile, axis=0)
    return np.array([left, top, right, bottom])


def crop_square(union_4: NDArray[np.floating], width_px: int, height_px: int, config: CropConfig) -> Square:
    """The square for a clip, by the rule of the configuration.

    Args:
        union_4: the face's box over the clip, from `robust_union`.
        width_px: width of the picture.
        height_px: height of the picture.
        config: the rule.

    Raises:
        CropRejected: `crop_out_of_frame`, when the least square does not fit and padding is off.
    """
    left, top, right, bottom = (float(edge) for edge in union_4)
    longer = max(right - left, bottom - top)
    center_x, center_y = (left + right) / 2, (top + bottom) / 2
    wanted, least = config.side_margin * longer, config.least_margin * longer

    side = min(wanted, width_px, height_px)
    cut_off = max(-left, -top, right - width_px, bottom - height_px)
    if cut_off <= config.most_cut_off * longer and side >= least:
        side_px = _even_floor(side)
        left_px = _place(center_x - config.center_x * side, side_px, left, right, width_px)
        top_px = _place(center_y - config.center_y * side, side_px, top, bottom, height_px)
        return Square(left_px, top_px, side_px)
    if config.outside == "reject":
        raise CropRejected("crop_out_of_frame")
    # A padded square keeps the full margin and the framing: nothing limits it.
    left_px, top_px = (
        _even_floor(c - f * wanted) for c, f in ((center_x, config.center_x), (center_y, config.center_y))
    )
    return Square(left_px, top_px, _even_floor(wanted), padded=True)


def turned_square(
    landmarks_TNC: NDArray[np.floating], turn_deg: float, width_px: int, height_px: int, config: CropConfig
) -> Square:
    """The square for a clip, by the same rule, turned with the face.

    It is the largest between `side_margin` and `least_margin` that lies in the picture with all its corners and holds
    the face; its centre is moved as little as that needs.

    Args:
        landmarks_TNC: of the face in every frame.
        turn_deg: by how much to turn, clockwise in the picture: the face's mean roll.
        width_px, height_px: of the picture.
        config: the rule.

    Raises:
        CropRejected: `crop_out_of_frame`, when no such square exists and padding is off.
    """
    middle_2 = np.array([width_px / 2, height_px / 2])
    upright_TNC = np.asarray(landmarks_TNC, dtype=np.float64)[..., :2] - middle_2
    upright_TNC = upright_TNC @ rotation(-turn_deg).T
    union_4 = robust_union(extents(upright_TNC), config)
    size_2 = union_4[2:] - union_4[:2]
    longer, face_2 = size_2.max(), (union_4[:2] + union_4[2:]) / 2
    wanted, allowed = config.side_margin * longer, config.most_cut_off * longer
    framing_2 = 0.5 - np.array([config.center_x, config.center_y])
    half_width = np.abs(rotation(turn_deg)).sum(axis=1)[0] / 2

    for side in np.linspace(wanted, config.least_margin * longer, TURNED_STEPS):
        side_px = _even_floor(side)
        center_2 = middle_2 + rotation(turn_deg) @ (face_2 + framing_2 * side_px)
        reach = half_width * side_px + 2  # what rounding and interpolation need
        if 2 * reach > min(width_px, height_px):
            continue
        center_2 = np.clip(center_2, reach, np.array([width_px, height_px]) - reach).round()
        from_face_2 = np.abs(rotation(-turn_deg) @ (center_2 - middle_2) - face_2)
        if (from_face_2 + size_2 / 2 <= side_px / 2 + allowed).all():
            return _turned(center_2, side_px, turn_deg, padded=False)
    if config.outside == "reject":
        raise CropRejected("crop_out_of_frame")
    center_2 = (middle_2 + rotation(turn_deg) @ (face_2 + framing_2 * wanted)).round()
    return _turned(center_2, _even_floor(wanted), turn_deg, padded=True)


def rotation(turn_deg: float) -> NDArray[np.float64]:
    """2×2: turns (x, y) clockwise in the picture."""
    angle = np.radians(turn_deg)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def cut(picture_HWC: NDArray[np.uint8], square: Square, size_px: int) -> NDArray[np.uint8]:
    """Cut an upright square out of a picture, resampled to `size_px`; what lies outside repeats the picture's edge."""
    import cv2  # not needed where only the geometry is used

    assert not square.turn_deg, "turned squares are cut by ffmpeg"

    height_px, width_px = picture_HWC.shape[:2]
    left, top = square.left_px, square.top_px
    right, bottom = left + square.side_px, top + square.side_px
    above, below, before, after = max(0, -top), max(0, bottom - height_px), max(0, -left), max(0, right - width_px)
    inner: NDArray = picture_HWC[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
    if above or below or before or after:
        inner = np.asarray(cv2.copyMakeBorder(inner, above, below, before, after, borderType=cv2.BORDER_REPLICATE))
    shrinks = square.side_px > size_px
    resampled = cv2.resize(inner, (size_px, size_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.ascontiguousarray(resampled, dtype=np.uint8)


def to_square(landmarks_TNC: NDArray[np.floating], square: Square, size_px: int) -> NDArray[np.float32]:
    """Landmarks of the source picture in pixels of the cropped picture; depth is scaled along, not moved."""
    moved = np.array(landmarks_TNC, dtype=np.float64)
    moved[..., :2] = (moved[..., :2] - square.center) @ rotation(square.turn_deg) + square.side_px / 2
    return (moved * (size_px / square.side_px)).astype(np.float32)


def _even_floor(value: float) -> int:
    return int(value // 2) * 2


def _turned(center_2: NDArray[np.float64], side_px: int, turn_deg: float, padded: bool) -> Square:
    left_px, top_px = (_even_floor(center - side_px / 2) for center in center_2)
    return Square(left_px, top_px, side_px, padded, turn_deg)


def _place(start: float, side_px: int, low: float, high: float, length_px: int) -> int:
    """The edge nearest to `start` that keeps the square in the picture and the face (low…high) in the square."""
    low, high = max(low, 0.0), min(high, length_px)
    return _even_floor(min(max(start, high - side_px, 0.0), low, length_px - side_px))
