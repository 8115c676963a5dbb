"""Following faces from picture to picture: detections in, tracks out. No decoding, no model.

Shapes: K samples of a track, N landmarks, S blendshapes. Coordinates in pixels of the source picture.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from liax.config import Config
from liax.face import Face, distinct, overlap


class FacesConfig(Config):
    """How faces are found and followed."""

    rate_fps: float = Field(default=6.25, gt=0, le=1000)
    """Pictures a second in which faces are followed; between them positions are interpolated. Every fourth picture
    of 25 a second: our choice between what a search costs, about ten decoded frames, and what a quick movement between
    two searches loses."""
    look_round_s: float = Field(default=1.0, gt=0)
    """How often the whole picture is searched for new faces, besides where a shot begins or a face was lost."""
    longest_side_px: int | None = Field(default=1920, ge=64)
    """Larger pictures are shrunk to this before the search; null keeps them."""
    most_faces: int = Field(default=8, ge=1, le=1000)
    """How many faces to look for in a picture."""
    least_confidence: float = Field(default=0.3, ge=0, le=1)
    """Of the detection and of the landmarks."""
    least_face_px: float = Field(default=100.0, ge=2)
    """A track is rejected when the longer side of its landmarks' box, in the median, is smaller than this. A face 80 px
    wide is about 100 px high, and is enlarged three times for a clip of 512 px."""
    least_overlap: float = Field(default=0.3, gt=0, le=1)
    """A face continues a track if their boxes overlap at least so much (intersection over union)."""
    largest_zoom: float = Field(default=1.5, gt=1)
    """A face does not continue a track if its size changed by more than this factor from one picture to the next."""
    longest_gap_s: float = Field(default=0.5, gt=0)
    """A track in which the face is not seen for longer than this ends; a new one begins when it is seen again."""
    weights: str | None = None
    """Path or URL of the face landmarker's bundle; null looks in the cache and then where it is published."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.rate_fps * self.longest_gap_s < 1 - 1e-9:
            raise ValueError(
                f"at rate_fps {self.rate_fps} pictures are further apart than longest_gap_s {self.longest_gap_s}, "
                "so every track would end at its first picture"
            )
        return self


@dataclass(frozen=True, slots=True)
class Track:
    """One face over time.

    Args:
        times_s: (K,) float64, ascending; from the start of the source.
        landmarks_KN3, boxes_K4, head_pose_K3, blendshapes_KS: float32, as in `liax.face.Face`.
        agreement_K: float32; how far two searches, in crops of different size, put the landmarks apart, in the mean,
            as a share of the face's size; 1 where the second found no face; NaN where there was none.
    """

    times_s: NDArray[np.float64]
    landmarks_KN3: NDArray[np.float32]
    boxes_K4: NDArray[np.float32]
    head_pose_K3: NDArray[np.float32]
    blendshapes_KS: NDArray[np.float32]
    agreement_K: NDArray[np.float32]

    @property
    def face_px(self) -> float:
        """The face's size: the longer side of the landmarks' box, in the median over time."""
        sides_K2 = self.boxes_K4[:, 2:] - self.boxes_K4[:, :2]
        return float(np.median(sides_K2.max(axis=1)))

    def between(self, start_s: float, end_s: float) -> "Track":
        """The part of the track from one time to another, both included."""
        inside_K = (self.times_s >= start_s) & (self.times_s <= end_s)
        return Track(*(getattr(self, field.name)[inside_K] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Sighting:
    """A face at a moment, and how well two searches for it agree (see `Track.agreement_K`)."""

    time_s: float
    face: Face
    agreement: float = math.nan


class Linker:
    """Links the faces of successive pictures into tracks.

    Of the tracks whose last box it overlaps, a face continues the one whose last landmarks are nearest to its own:
    where two faces pass each other, boxes overlap either way, but eyes and mouths do not lie alike. A track ends when
    its face is not seen for longer than `longest_gap_s`, or jumps: too little overlap, or a sudden change of size.
    """

    def __init__(self, config: FacesConfig) -> None:
        self._config = config
        self._going: list[list[Sighting]] = []
        self._ended: list[list[Sighting]] = []

    def last_seen(self, time_s: float) -> list[Sighting]:
        """Where the faces were last that may be seen again at a time, in the order of their tracks."""
        kept = [track for track in self._going if time_s - track[-1].time_s <= self._config.longest_gap_s]
        self._ended += [track for track in self._going if time_s - track[-1].time_s > self._config.longest_gap_s]
        self._going = kept
        return [track[-1] for track in kept]

    def add(self, time_s: float, found: Sequence[Sighting]) -> None:
        """The faces of the next picture; of faces found twice the larger finding counts."""
        last = [sighting.face for sighting in self.last_seen(time_s)]
        by_face = {id(sighting.face): sighting for sighting in found}
        faces = distinct(sighting.face for sighting in found)[: self._config.most_faces]
        taken = _match(last, faces, self._config)
        for track_index, face_index in taken.items():
            self._going[track_index].append(by_face[id(faces[face_index])])
        new = [face for index, face in enumerate(faces) if index not in taken.values()]
        self._going += [[by_face[id(face)]] for face in new]

    def tracks(self, breaks_s: Sequence[float] = (), dropped_s: Sequence[tuple[float, float]] = ()) -> list[Track]:
        """Every track, ordered by first time, then from left to right.

        Args:
            breaks_s: ascending; where a shot begins: no track goes on from before such a moment.
            dropped_s: start and end of spans that no track enters, both included.
        """
        pieces = [
            piece for track in self._ended + self._going for piece in _pieces(track, breaks_s, dropped_s) if piece
        ]
        return [_to_track(piece) for piece in sorted(pieces, key=lambda piece: (piece[0].time_s, piece[0].face.box_px))]


def _pieces(
    track: Sequence[Sighting], breaks_s: Sequence[float], dropped_s: Sequence[tuple[float, float]]
) -> list[list[Sighting]]:
    """A track broken where shots begin and at dropped spans."""
    pieces: dict[tuple[int, int], list[Sighting]] = {}
    for sighting in track:
        if any(start_s <= sighting.time_s <= end_s for start_s, end_s in dropped_s):
            continue
        spans_before = sum(end_s < sighting.time_s for _, end_s in dropped_s)
        pieces.setdefault((bisect_right(breaks_s, sighting.time_s), spans_before), []).append(sighting)
    return list(pieces.values())


def link_faces(samples: Iterable[tuple[float, Sequence[Face]]], config: FacesConfig) -> list[Track]:
    """Link the faces of successive pictures into tracks (see `Linker`).

    Args:
        samples: (time_s, faces of the picture), in order of time.
        config: the rules.
    """
    linker = Linker(config)
    for time_s, faces in samples:
        linker.add(time_s, [Sighting(time_s, face) for face in faces])
    return linker.tracks()


def _match(last: Sequence[Face], faces: Sequence[Face], config: FacesConfig) -> dict[int, int]:
    """Which face continues which track (track index → face index), the nearest landmarks first."""
    pairs = [
        (_distance_px(before, face), track_index, face_index)
        for track_index, before in enumerate(last)
        for face_index, face in enumerate(faces)
        if _zoom(before, face) <= config.largest_zoom and overlap(before.box_px, face.box_px) >= config.least_overlap
    ]
    taken: dict[int, int] = {}
    for _, track_index, face_index in sorted(pairs):
        if track_index not in taken and face_index not in taken.values():
            taken[track_index] = face_index
    return taken


def _distance_px(one: Face, other: Face) -> float:
    """How far apart two faces' landmarks lie in the picture, in the mean."""
    return float(np.linalg.norm(one.landmarks_N3[:, :2] - other.landmarks_N3[:, :2], axis=1).mean())


def _zoom(one: Face, other: Face) -> float:
    small, large = sorted((max(one.side_px, 1e-6), max(other.side_px, 1e-6)))
    return large / small


def _to_track(sightings: Sequence[Sighting]) -> Track:
    faces = [sighting.face for sighting in sightings]
    return Track(
        times_s=np.array([sighting.time_s for sighting in sightings], dtype=np.float64),
        landmarks_KN3=np.stack([face.landmarks_N3 for face in faces]),
        boxes_K4=np.array([face.box_px for face in faces], dtype=np.float32),
        head_pose_K3=np.stack([face.head_pose_deg for face in faces]),
        blendshapes_KS=np.stack([face.blendshapes_S for face in faces]),
        agreement_K=np.array([sighting.agreement for sighting in sightings], dtype=np.float32),
    )
