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


class CropConfig(Config):
    """How the square is laid round the face."""

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

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.least_margin > self.side_margin:
            raise ValueError(f"least_margin {self.least_margin} is above side_margin {self.side_margin}")
        if self.low_percentile > self.high_percentile:
            raise ValueError(f"low_percentile {self.low_percentile} is above high_percentile {self.high_percentile}")
        return self


class CropRejected(Exception):  # noqa: N818 - an outcome with a reason, not a fault
    """No square fits; `str()` is the reason's short name."""


@dataclass(frozen=True, slots=True)
class Square:
    """A square of whole, even pixels (chroma is stored at half resolution), which may leave the picture when padded."""

    left_px: int
    top_px: int
    side_px: int
    padded: bool = False


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


def cut(picture_HWC: NDArray[np.uint8], square: Square, size_px: int) -> NDArray[np.uint8]:
    """Cut the square out of a picture and resample it to `size_px`; what lies outside repeats the picture's edge."""
    import cv2  # not needed where only the geometry is used

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
    moved[..., 0] -= square.left_px
    moved[..., 1] -= square.top_px
    return (moved * (size_px / square.side_px)).astype(np.float32)


def _even_floor(value: float) -> int:
    return int(value // 2) * 2


def _place(start: float, side_px: int, low: float, high: float, length_px: int) -> int:
    """The edge nearest to `start` that keeps the square in the picture and the face (low…high) in the square."""
    low, high = max(low, 0.0), min(high, length_px)
    return _even_floor(min(max(start, high - side_px, 0.0), low, length_px - side_px))
