"""Which square of a portrait or of a driving video the model sees: the crop rule of `liax.crop`, or the middle.

Legend: T frames, N landmarks.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from liax.crop import CropConfig, Square, crop_square, extents, robust_union
from liax.errors import UserError
from liax.face import Face, FaceFinder, overlap
from liax.pictures import Picture
from liax.progress import Progress
from liax.video.decode import frames
from liax.video.probe import VideoInfo

LONGEST_SIDE_PX = 1920
"""Larger driving videos are shrunk while they are read, as in preprocessing: no model size needs more."""
SEARCH_RATE_FPS = 5.0
"""Pictures a second in which the driving face is looked for; the square is one for the whole video."""
LEAST_SEEN = 0.25
"""Share of those pictures in which the face must be found, else the video is not one of a face. Our choice: a few
sightings among many are mistakes of the finder, or somebody who passes by."""
# A user's own picture is used as far as it goes; training clips that leave the frame would be rejected.
CROP = CropConfig(outside="pad")


def middle_square(width_px: int, height_px: int) -> Square:
    """The largest centred square, for pictures that are framed already."""
    side_px = min(width_px, height_px) // 2 * 2
    return Square((width_px - side_px) // 2, (height_px - side_px) // 2, side_px)


def portrait_square(picture_HWC: Picture, name: str, finder: FaceFinder) -> Square:
    """The square round a portrait's largest face. Raises UserError when there is no face; `name` is for its text."""
    faces = finder.find(picture_HWC)
    if not faces:
        raise UserError(f"no face in {name}: choose another picture, or use --no-crop if it is framed already")
    height_px, width_px = picture_HWC.shape[:2]
    return crop_square(extents(faces[0].landmarks_N3[None])[0], width_px, height_px, CROP)


def driving_square(path: Path, info: VideoInfo, finder: FaceFinder) -> tuple[Square, int, int]:
    """The one square round the face that drives, over the whole video.

    Returns:
        The square, and width and height of the pictures that it counts in (at most LONGEST_SIDE_PX).

    Raises:
        UserError: the video shows no face, or hardly ever.
        VideoError: the video cannot be read.
    """
    landmarks, searched, width_px, height_px = [], 0, 0, 0
    last: Face | None = None
    total = round(info.duration_s * SEARCH_RATE_FPS) or None
    with Progress(total, "find the face", "picture") as progress:
        for _, picture_HWC in frames(path, rate_fps=SEARCH_RATE_FPS, longest_side_px=LONGEST_SIDE_PX):
            height_px, width_px = picture_HWC.shape[:2]
            face = _same_face(finder.find(picture_HWC), last)
            if face is not None:
                landmarks.append(face.landmarks_N3)
                last = face
            searched += 1
            progress.advance()
    if not landmarks or len(landmarks) < LEAST_SEEN * searched:
        seen = f"a face in only {len(landmarks)} of {searched} pictures of" if landmarks else "no face in"
        raise UserError(f"{seen} {path}: choose another video, or use --no-crop if it is framed already")
    union_4 = robust_union(extents(np.stack(landmarks)), CROP)
    return crop_square(union_4, width_px, height_px, CROP), width_px, height_px


def _same_face(faces: Sequence[Face], last: Face | None) -> Face | None:
    """The face that continues the last one: the one that overlaps it most; at first the largest."""
    if last is None:
        return faces[0] if faces else None
    nearest = max(faces, key=lambda face: overlap(face.box_px, last.box_px), default=None)
    return nearest if nearest is not None and overlap(nearest.box_px, last.box_px) > 0 else None
