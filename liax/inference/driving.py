"""A video whose faces the model is to see, and how its time stamps become a constant rate again.

Legend: H W pixels, S side of a square, C colours.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from PIL import Image

from liax.crop import Square, cut
from liax.errors import UserError, VideoError
from liax.face import FaceFinder
from liax.inference.framing import LONGEST_SIDE_PX, Pose, middle_square, video_squares
from liax.pictures import Picture
from liax.video.decode import frames
from liax.video.probe import probe
from liax.video.sound import sound_start_s

Item = TypeVar("Item")
USUAL_FPS, MOST_FPS = Fraction(25), Fraction(240)
"""The rate where a file does not say one, or names its clock's (1000, 90000) because its frames come irregularly."""


@dataclass(frozen=True, slots=True)
class Footage:
    """A video, and where in it the model looks.

    Args:
        squares: one for each chosen face, from the left to the right, in pixels of the pictures as they are read.
        width_px, height_px: size of those pictures.
        longest_side_px: what that size is limited to; None for the video's own size.
        frames_estimate: None where the file does not say.
        poses: of the first chosen face, SEARCH_RATE_FPS times a second where it was seen; empty without a search.
    """

    path: Path
    squares: list[Square]
    width_px: int
    height_px: int
    longest_side_px: int | None
    fps: Fraction
    frames_estimate: int | None
    poses: list[Pose]

    def pictures(self) -> Iterator[tuple[float, Picture]]:
        """Time in seconds and picture (uint8 H×W×C) of every frame, decoded as they are asked for."""
        try:
            yield from frames(self.path, longest_side_px=self.longest_side_px)
        except VideoError as error:
            raise _refused(self.path, error) from None


@dataclass(frozen=True, slots=True)
class Driving:
    """A video to take the motion from: `footage` with one square, seen at `size_px`."""

    footage: Footage
    size_px: int

    @property
    def square(self) -> Square:
        return self.footage.squares[0]

    @property
    def fps(self) -> Fraction:
        return self.footage.fps

    @property
    def frames_estimate(self) -> int | None:
        return self.footage.frames_estimate

    @property
    def poses(self) -> list[Pose]:
        return self.footage.poses

    def pictures(self) -> Iterator[tuple[float, Picture]]:
        """Time in seconds and the square (uint8 S×S×C) of every frame, decoded as they are asked for."""
        for time_s, picture_HWC in self.footage.pictures():
            yield time_s, cut(picture_HWC, self.square, self.size_px)


def open_driving(path: str | Path, size_px: int, finder: FaceFinder | None) -> Driving:
    """A driving video with the square of its largest face, or without a finder its middle; raises as `open_footage`."""
    return Driving(open_footage(path, finder, "largest"), size_px)


def open_footage(
    path: str | Path,
    finder: FaceFinder | None,
    choice: str | None = None,
    longest_side_px: int | None = LONGEST_SIDE_PX,
) -> Footage:
    """Choose the squares of a video: round the chosen faces (see `liax.inference.framing`), or its middle.

    Args:
        finder: looks for faces; None for the middle.
        choice: see `liax.inference.framing.choose_faces`.
        longest_side_px: larger pictures are shrunk to this as they are read; None to keep them.

    Raises:
        UserError: it is no readable video with pictures, or does not show the chosen face.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no such file: {path}")
    try:
        info = probe(path)
        if finder is not None:
            squares, width_px, height_px, poses = video_squares(path, info, finder, choice, longest_side_px)
        else:
            first_HWC = next(iter(frames(path, longest_side_px=longest_side_px)))[1]
            height_px, width_px = first_HWC.shape[:2]
            squares, poses = [middle_square(width_px, height_px)], []
    except VideoError as error:
        raise _refused(path, error) from None
    fps = info.fps if 0 < info.fps <= MOST_FPS else USUAL_FPS
    count = round(info.duration_s * fps) or info.frames_estimate or None
    return Footage(path, squares, width_px, height_px, longest_side_px, fps, count, poses)


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


def _refused(path: Path, error: VideoError) -> UserError:
    """What is wrong with a file that is no usable video, and what to do."""
    wanted = "give a video that shows a face, for example an .mp4"
    if path.stat().st_size == 0:
        return UserError(f"{path} is an empty file: {wanted}")
    if error.reason in ("no_video_stream", "no_frames"):
        sound = "sound but " if sound_start_s(path) is not None else ""
        return UserError(f"{path} has {sound}no pictures: {wanted}")
    if _is_picture(path):
        return UserError(f"{path} is a picture, not a video: {wanted}")
    return UserError(f"{error}; {wanted}")


def _is_picture(path: Path) -> bool:
    try:
        with Image.open(path):
            return True
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
