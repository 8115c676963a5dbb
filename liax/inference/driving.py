"""A driving video as the model sees it, and how its time stamps become a constant rate again."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from liax.crop import Square, cut
from liax.errors import UserError, VideoError
from liax.face import FaceFinder
from liax.inference.framing import LONGEST_SIDE_PX, driving_square, middle_square
from liax.pictures import Picture
from liax.video.decode import frames
from liax.video.probe import probe

Item = TypeVar("Item")
USUAL_FPS = Fraction(25)


@dataclass(frozen=True, slots=True)
class Driving:
    """A video to take the motion from. `frames_estimate` is None where the file does not say."""

    path: Path
    square: Square
    size_px: int
    fps: Fraction
    frames_estimate: int | None

    def pictures(self) -> Iterator[tuple[float, Picture]]:
        """Time in seconds and the square, size_px × size_px, of every frame, decoded as they are asked for."""
        for time_s, picture_HWC in frames(self.path, longest_side_px=LONGEST_SIDE_PX):
            yield time_s, cut(picture_HWC, self.square, self.size_px)


def open_driving(path: str | Path, size_px: int, finder: FaceFinder | None) -> Driving:
    """Choose the square of a driving video: round its face, or without a finder its middle.

    Raises:
        UserError: it is no readable video with pictures, or shows no face.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no such file: {path}")
    try:
        info = probe(path)
        if finder is not None:
            square, _, _ = driving_square(path, info, finder)
        else:
            height_px, width_px = next(iter(frames(path, longest_side_px=LONGEST_SIDE_PX)))[1].shape[:2]
            square = middle_square(width_px, height_px)
    except VideoError as error:
        raise UserError(f"{error}; give a video as the driving") from None
    return Driving(path, square, size_px, info.fps or USUAL_FPS, info.frames_estimate or None)


def constant_rate(timed: Iterable[tuple[float, Item]], fps: Fraction) -> Iterator[Item]:
    """Items at a constant rate, in step with their times: frame k shows the latest item at (k + ½)/fps.

    Items are repeated or left out, never blended; a stream whose times are regular comes out unchanged.
    """
    shown: Item | None = None
    count = place = 0
    for time_s, item in timed:
        place = math.floor(time_s * fps + Fraction(1, 2))
        while count < place:
            yield item if shown is None else shown
            count += 1
        shown = item
    if shown is not None and count <= place:
        yield shown
