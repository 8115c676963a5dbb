"""The source picture: which of its faces are moved, and the picture that the results make.

Legend: H W pixels, S side of the model's pictures, C colours.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from liax.crop import Square, cut
from liax.face import FaceFinder
from liax.inference.framing import choose_faces, face_square, middle_square
from liax.inference.paste import even, paste
from liax.pictures import Picture, load_picture


@dataclass(frozen=True, slots=True)
class Portraits:
    """The chosen faces, from the left to the right.

    Args:
        pictures: uint8 S×S×C, as the model sees them.
        squares: where they were in the source.
        poses_deg: yaw, pitch, roll of their heads; empty where faces were not looked for.
        canvas_HWC: the source that results are put back into, or None.
    """

    pictures: list[Picture]
    squares: list[Square]
    poses_deg: list[NDArray[np.float32]]
    canvas_HWC: Picture | None

    @property
    def result_px(self) -> tuple[int, int]:
        """Width and height of what `compose` makes."""
        height_px, width_px = (self.pictures[0] if self.canvas_HWC is None else self.canvas_HWC).shape[:2]
        return width_px, height_px

    def compose(self, results: Sequence[Picture]) -> Picture:
        """The whole result from one uint8 S×S×C picture for each face."""
        if self.canvas_HWC is None:
            (whole,) = results
            return whole
        whole = self.canvas_HWC
        for result_SSC, square in zip(results, self.squares, strict=True):
            whole = paste(whole, result_SSC, square)
        return whole


def open_portraits(
    source: str | Path,
    size_px: int,
    finder: FaceFinder | None,
    face: str | None = None,
    *,
    paste_back: bool = False,
    for_video: bool = False,
) -> Portraits:
    """Read a picture and cut out its faces.

    Args:
        source: picture file.
        size_px: side S of the model's pictures.
        finder: None takes the middle square.
        face: see `liax.inference.framing.choose_faces`.
        paste_back: results are put back into the picture.
        for_video: the whole must have even sides, so a last odd row or column is left out.

    Raises:
        UserError: it is no readable picture, has no face, or several and no choice.
    """
    picture_HWC = load_picture(source)
    if finder is None:
        squares, poses_deg = [middle_square(picture_HWC.shape[1], picture_HWC.shape[0])], []
    else:
        faces = choose_faces(finder.find(picture_HWC), face, str(source))
        squares, poses_deg = [face_square(one, picture_HWC) for one in faces], [one.head_pose_deg for one in faces]
    canvas_HWC = even(picture_HWC) if for_video else picture_HWC
    cuts = [cut(picture_HWC, square, size_px) for square in squares]
    return Portraits(cuts, squares, poses_deg, canvas_HWC if paste_back else None)
