"""Finding the faces of one picture: known ones where they were last, new ones by looking round.

Known faces are searched in a crop round their last place, at a size that suits MediaPipe: on a whole picture of
1080 x 1920 its landmarks are off by 2 to 3 % of the face. The whole picture is only searched for what is new, by the
detector alone, in tiles where small faces are asked for. Shapes: H W pixels, C colours, N landmarks.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from liax.face import LEAST_DETECTED, Box, Face, FaceFinder, overlap
from pipelines.tracking import FacesConfig, Sighting

CROP_SCALE, SECOND_CROP_SCALE = 2.0, 1.6
"""Side of the crop in which a face is searched, and of the one for the second search, in sizes of the face (our choice:
room for what a head moves between two samples; the result depends little on it, measured from 1.5 to 2.5)."""

MOST_NEW_DISAGREEMENT = 0.05
"""What two searches in crops of different size put further apart than this, as a share of its size, is no new face.
Measured on the corpus: faces have 0.002 to 0.024, things taken for faces 0.07 to 1."""

CROP_PX = 512
"""Crops of twice this and more are shrunk, by whole factors, which is fast; MediaPipe's own input is 256 px."""

CHECK_S = 3.0
"""How often two searches are compared while a face is followed, beside when it is new or the picture changes abruptly:
what hides a face for less than this may go unnoticed. Our choice, because every comparison costs a search."""

KNOWN_OVERLAP = 0.2
"""A detected box that overlaps a known face's this much is that face (the detector's boxes reach less far up)."""


class FaceSearcher:
    """Searches picture after picture of one segment.

    Args:
        finder: finds faces in single pictures.
        config: the rules.
    """

    def __init__(self, finder: FaceFinder, config: FacesConfig) -> None:
        self._finder, self._config = finder, config
        self._looked_s = self._checked_s = -math.inf

    def sample(
        self,
        time_s: float,
        picture_HWC: NDArray[np.uint8],
        known: Sequence[Sighting],
        scale: float,
        look_round: bool,
    ) -> list[Sighting]:
        """The faces of a picture.

        Args:
            time_s: when it is shown.
            picture_HWC: uint8 RGB, perhaps reduced.
            known: where faces were last, in pixels of the source.
            scale: pixels of the source per pixel of the picture.
            look_round: the picture changed abruptly: search all of it, and compare two searches of every known face.

        Returns:
            In pixels of the source; a face may be there twice.
        """
        faces = [self._follow(picture_HWC, _scaled_box(sighting.face.box_px, 1 / scale)) for sighting in known]
        followed = [face for face in faces if face is not None]
        check = look_round or time_s - self._checked_s >= CHECK_S
        if check:
            self._checked_s = time_s
        found = [(face, self._agreement(picture_HWC, face) if check else math.nan) for face in followed]
        lost = len(followed) < len(known)
        if look_round or lost or time_s - self._looked_s >= self._config.look_round_s:
            self._looked_s = time_s
            found += self._new_faces(picture_HWC, followed, scale)
        return [Sighting(time_s, _scaled(face, scale), agreement) for face, agreement in found]

    def _follow(self, picture_HWC: NDArray[np.uint8], box_px: Box) -> Face | None:
        """The face in the crop round a box that overlaps the box most."""
        faces = find_in_crop(self._finder, picture_HWC, box_px, CROP_SCALE)
        best = max(faces, key=lambda face: overlap(face.box_px, box_px), default=None)
        return best if best is not None and overlap(best.box_px, box_px) > 0 else None

    def _new_faces(
        self, picture_HWC: NDArray[np.uint8], known: Sequence[Face], scale: float
    ) -> list[tuple[Face, float]]:
        """Faces of the whole picture that are none of the known ones, each confirmed by a second search."""
        new: list[tuple[Face, float]] = []
        height_px, width_px = picture_HWC.shape[:2]
        for left, top, right, bottom in tiles(width_px, height_px, self._config.least_face_px / scale):
            for in_tile in self._finder.detect(picture_HWC[top:bottom, left:right]):
                box_px = _moved_box(in_tile, left, top)
                if any(overlap(box_px, face.box_px) > KNOWN_OVERLAP for face in [*known, *(face for face, _ in new)]):
                    continue
                face = self._follow(picture_HWC, box_px)
                # Once more, round the landmarks: the detector's box is the worse guide.
                face = self._follow(picture_HWC, face.box_px) if face is not None else None
                agreement = self._agreement(picture_HWC, face) if face is not None else math.nan
                if face is not None and agreement <= MOST_NEW_DISAGREEMENT:
                    new.append((face, agreement))
        return new

    def _agreement(self, picture_HWC: NDArray[np.uint8], face: Face) -> float:
        """How far a second search puts the landmarks (see `Track.agreement_K`)."""
        again = find_in_crop(self._finder, picture_HWC, face.box_px, SECOND_CROP_SCALE)
        if not again:
            return 1.0
        best = max(again, key=lambda other: overlap(other.box_px, face.box_px))
        apart_N = np.linalg.norm((best.landmarks_N3 - face.landmarks_N3)[:, :2], axis=1)
        return min(1.0, float(apart_N.mean()) / max(face.side_px, 1e-6))


def find_in_crop(finder: FaceFinder, picture_HWC: NDArray[np.uint8], box_px: Box, crop_scale: float) -> list[Face]:
    """The faces of a square round a box, in pixels of the picture; outside the picture the square is black."""
    import cv2

    left, top, right, bottom = box_px
    wanted_px = max(16, round(max(right - left, bottom - top) * crop_scale))
    factor = max(1, wanted_px // CROP_PX)
    side = math.ceil(wanted_px / factor) * factor
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    height_px, width_px = picture_HWC.shape[:2]
    inside_HWC = picture_HWC[max(0, y) : max(0, y + side), max(0, x) : max(0, x + side)]
    if not inside_HWC.size:
        return []
    crop_HWC = cv2.copyMakeBorder(
        inside_HWC,
        max(0, -y),
        max(0, y + side - height_px),
        max(0, -x),
        max(0, x + side - width_px),
        cv2.BORDER_CONSTANT,
    )
    if factor > 1:
        crop_HWC = cv2.resize(crop_HWC, (side // factor, side // factor), interpolation=cv2.INTER_AREA)
    return [_moved(_scaled(face, factor), x, y) for face in finder.find(np.asarray(crop_HWC, dtype=np.uint8))]


def tiles(width_px: int, height_px: int, least_face_px: float) -> Iterator[tuple[int, int, int, int]]:
    """The whole picture, then as many overlapping squares as it takes to detect the smallest faces asked for.

    Squares of one size overlap by what the size before could just detect, so that every face lies whole in a tile in
    which it is large enough.

    Yields:
        left, top, right, bottom in pixels.
    """
    yield 0, 0, width_px, height_px
    side = float(max(width_px, height_px))
    while side * LEAST_DETECTED > least_face_px and side > 128:
        lap = side * LEAST_DETECTED
        # At most halved, so that the overlap stays small beside the square.
        side = max(side / 2, least_face_px / LEAST_DETECTED, 128.0)
        for top in _starts(height_px, side, lap):
            for left in _starts(width_px, side, lap):
                yield left, top, min(width_px, left + math.ceil(side)), min(height_px, top + math.ceil(side))


def _starts(length_px: int, side: float, lap: float) -> list[int]:
    """Where squares begin that cover a length, evenly spread, each sharing at least `lap` with the next."""
    if length_px <= side:
        return [0]
    count = 1 + math.ceil((length_px - side) / (side - lap))
    return [int((length_px - side) * index / (count - 1)) for index in range(count)]


def _scaled_box(box: Box, scale: float) -> Box:
    left, top, right, bottom = (edge * scale for edge in box)
    return left, top, right, bottom


def _scaled(face: Face, scale: float) -> Face:
    if scale == 1:
        return face
    return replace(face, landmarks_N3=face.landmarks_N3 * np.float32(scale), box_px=_scaled_box(face.box_px, scale))


def _moved(face: Face, x: int, y: int) -> Face:
    moved_N3 = face.landmarks_N3 + np.array([x, y, 0], dtype=np.float32)
    return replace(face, landmarks_N3=moved_N3, box_px=_moved_box(face.box_px, x, y))


def _moved_box(box: Box, x: int, y: int) -> Box:
    left, top, right, bottom = box
    return left + x, top + y, right + x, bottom + y
