"""The sample contract: what one clip is, in a shard and out of it. Writer and reader both use this file.

A sample has a key (the clip's id, without dots) and three members: `key.mp4`, the square clip at a constant rate with
short closed groups of pictures; `key.json`, a `SampleInfo`; `key.npz`, the `FaceArrays`.

Shapes: T frames of the clip, N landmarks, S blendshapes. Coordinates in pixels of the clip's picture.
"""

import io
import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from liax.config import Config, build

Split = Literal["train", "val", "test"]
Align = Literal["clip", "frame", "none"]


class CropInfo(Config):
    """The square that was cut, in pixels of the upright source picture."""

    left_px: int
    top_px: int
    side_px: int
    source_width_px: int
    source_height_px: int
    align: Align
    """`clip`: one square for the whole clip, scaled to the clip's size. `none`: the same square in the source's own
    resolution. `frame`: a square of its own for every frame, so that the head's motion in the picture is gone; the
    square here is the middle of them."""
    padded: bool
    """Whether the square leaves the picture; its edge is repeated there."""
    turn_deg: float = 0.0
    """The square is turned by this about its centre, clockwise in the picture: the face's mean roll is taken out."""


class SampleInfo(Config):
    """Where a clip came from, what was done to it, and how good it is."""

    key: str
    source_uri: str
    source_sha256: str
    segment: int = 0
    """Number of the piece of the source, from 0; only long sources have more than one."""
    track: int
    """Number of the face track within the segment, from 0."""
    start_s: float
    end_s: float
    fps: float
    frames: int
    size_px: int
    """Width and height of the clip; as configured, save with `align: none`."""
    crop: CropInfo
    scores: dict[str, float]
    identity: str | None
    """Cluster of the person; None where identities were not computed."""
    split: Split
    has_audio: bool
    keyframes: list[int]
    """Numbers of the frames at which decoding can start."""
    pipeline_version: str
    config_id: str

    def to_bytes(self) -> bytes:
        """JSON with sorted keys: the same sample gives the same bytes."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1).encode()

    @classmethod
    def from_bytes(cls, data: bytes, where: str = "a sample's json") -> "SampleInfo":
        """Read what `to_bytes` wrote."""
        return build(cls, json.loads(data), where)


@dataclass(frozen=True, slots=True)
class FaceArrays:
    """What was measured of the face in every frame of the clip.

    Args:
        landmarks_TN3: float32; x, y in pixels and depth in the same scale.
        boxes_T4: float32; left, top, right, bottom of the landmarks.
        head_pose_T3: float32; yaw, pitch, roll in degrees.
        blendshapes_TS: float32; 0…1, in the order of `liax.face.BLENDSHAPES`.
        measured_T: bool; False where the frame's values were interpolated between measured ones.
    """

    landmarks_TN3: NDArray[np.float32]
    boxes_T4: NDArray[np.float32]
    head_pose_T3: NDArray[np.float32]
    blendshapes_TS: NDArray[np.float32]
    measured_T: NDArray[np.bool_]

    def to_bytes(self) -> bytes:
        """A compressed npz; the same arrays give the same bytes (numpy writes a fixed date into the archive)."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            landmarks=self.landmarks_TN3.astype(np.float32),
            boxes=self.boxes_T4.astype(np.float32),
            head_pose=self.head_pose_T3.astype(np.float32),
            blendshapes=self.blendshapes_TS.astype(np.float32),
            measured=self.measured_T.astype(np.bool_),
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "FaceArrays":
        """Read what `to_bytes` wrote. Never unpickles."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            names = ("landmarks", "boxes", "head_pose", "blendshapes", "measured")
            return cls(*(arrays[name] for name in names))


@dataclass(frozen=True, slots=True)
class Sample:
    """One clip with all that belongs to it; `video` is the mp4 file's bytes."""

    info: SampleInfo
    video: bytes
    faces: FaceArrays

    def members(self) -> dict[str, bytes]:
        """The sample's files by extension, in the order in which they stand in a tar."""
        return {"json": self.info.to_bytes(), "mp4": self.video, "npz": self.faces.to_bytes()}
