"""Following faces from picture to picture: detections in, tracks out. No decoding, no model.

Shapes: K samples of a track, N landmarks, S blendshapes. Coordinates in pixels of the source picture.
"""

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

    rate_fps: float = Field(default=10.0, gt=0, le=1000)
    """Pictures a second in which faces are looked for; between them positions are interpolated. Heads move little in
    a tenth of a second, and a face search costs as much as decoding ten frames."""
    longest_side_px: int | None = Field(default=1920, ge=64)
    """Larger pictures are shrunk to this before the search; null keeps them."""
    most_faces: int = Field(default=8, ge=1, le=1000)
    """How many faces to look for in a picture."""
    least_confidence: float = Field(default=0.3, ge=0, le=1)
    """Of the detection and of the landmarks."""
    least_face_px: float = Field(default=80.0, ge=2)
    """A track is rejected when the longer side of its landmarks' box, in the median, is smaller than this. A face 64 px
    wide is about 80 px high."""
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
    """

    times_s: NDArray[np.float64]
    landmarks_KN3: NDArray[np.float32]
    boxes_K4: NDArray[np.float32]
    head_pose_K3: NDArray[np.float32]
    blendshapes_KS: NDArray[np.float32]

    @property
    def face_px(self) -> float:
        """The face's size: the longer side of the landmarks' box, in the median over time."""
        sides_K2 = self.boxes_K4[:, 2:] - self.boxes_K4[:, :2]
        return float(np.median(sides_K2.max(axis=1)))

    def between(self, start_s: float, end_s: float) -> "Track":
        """The part of the track from one time to another, both included."""
        inside_K = (self.times_s >= start_s) & (self.times_s <= end_s)
        return Track(*(getattr(self, field.name)[inside_K] for field in fields(self)))


def link_faces(samples: Iterable[tuple[float, Sequence[Face]]], config: FacesConfig) -> list[Track]:
    """Link the faces of successive pictures into tracks.

    A face continues the track whose last box it overlaps most. A track ends when its face is not seen for longer than
    `longest_gap_s`, or jumps: no overlap, or a sudden change of size.

    Args:
        samples: (time_s, faces of the picture), in order of time.
        config: the rules.

    Returns:
        Tracks, ordered by their first time, then from left to right.
    """
    going: list[list[tuple[float, Face]]] = []
    ended: list[list[tuple[float, Face]]] = []
    for time_s, found in samples:
        ended += [track for track in going if time_s - track[-1][0] > config.longest_gap_s]
        going = [track for track in going if time_s - track[-1][0] <= config.longest_gap_s]
        faces = distinct(found)
        taken = _match([track[-1][1] for track in going], faces, config)
        for track_index, face_index in taken.items():
            going[track_index].append((time_s, faces[face_index]))
        going += [[(time_s, face)] for index, face in enumerate(faces) if index not in taken.values()]
    order = sorted(ended + going, key=lambda track: (track[0][0], track[0][1].box_px[0]))
    return [_to_track(track) for track in order]


def _match(last: Sequence[Face], faces: Sequence[Face], config: FacesConfig) -> dict[int, int]:
    """Which face continues which track (track index → face index), the best overlap first."""
    pairs = [
        (overlap(before.box_px, face.box_px), track_index, face_index)
        for track_index, before in enumerate(last)
        for face_index, face in enumerate(faces)
        if _zoom(before, face) <= config.largest_zoom
    ]
    taken: dict[int, int] = {}
    for shared, track_index, face_index in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if shared >= config.least_overlap and track_index not in taken and face_index not in taken.values():
            taken[track_index] = face_index
    return taken


def _zoom(one: Face, other: Face) -> float:
    small, large = sorted((max(one.side_px, 1e-6), max(other.side_px, 1e-6)))
    return large / small


def _to_track(observations: Sequence[tuple[float, Face]]) -> Track:
    faces = [face for _, face in observations]
    return Track(
        times_s=np.array([time_s for time_s, _ in observations], dtype=np.float64),
        landmarks_KN3=np.stack([face.landmarks_N3 for face in faces]),
        boxes_K4=np.array([face.box_px for face in faces], dtype=np.float32),
        head_pose_K3=np.stack([face.head_pose_deg for face in faces]),
        blendshapes_KS=np.stack([face.blendshapes_S for face in faces]),
    )
