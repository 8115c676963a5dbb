"""How far a face is from the one that it should be. Definitions: `liax.evaluation.definitions`.

Shapes: N landmarks, S blendshapes, D values of an embedding; poses are yaw, pitch, roll in degrees.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liax.face import Face, FaceFinder
from liax.identity import LEFT_EYE_OUTER, RIGHT_EYE_OUTER, Embedder
from liax.pictures import Picture


@dataclass(frozen=True, slots=True)
class Seen:
    """The largest face of a picture, and its embedding where there is an embedder."""

    face: Face
    embedding_D: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What head and expression should be."""

    pose_deg_3: NDArray[np.float32]
    blendshapes_S: NDArray[np.float32]


class FaceSeer:
    """Looks at pictures. Not to be shared between threads or inherited by a forked process; to be closed."""

    def __init__(self, finder: FaceFinder, embedder: Embedder | None) -> None:
        self._finder, self._embedder = finder, embedder

    def see(self, picture_HWC: Picture) -> Seen | None:
        """The largest face, if there is one."""
        faces = self._finder.find(picture_HWC)
        if not faces:
            return None
        face = faces[0]
        embedder = self._embedder
        return Seen(face, None if embedder is None else embedder.embed(picture_HWC, face.landmarks_N3))

    def close(self) -> None:
        """Free the finder."""
        self._finder.close()


def wanted(driving: Face, start: Face | None = None, source: Face | None = None) -> Wanted:
    """The driving head and expression; with a start and a source, the source's changed as the driving's since then."""
    pose_deg_3, blendshapes_S = driving.head_pose_deg, driving.blendshapes_S
    if start is not None and source is not None:
        pose_deg_3 = source.head_pose_deg + pose_deg_3 - start.head_pose_deg
        blendshapes_S = np.clip(source.blendshapes_S + blendshapes_S - start.blendshapes_S, 0, 1)
    return Wanted(pose_deg_3, blendshapes_S)


def landmark_distance_px(one: Face, other: Face) -> float:
    """AKD of two faces."""
    apart_N2 = (one.landmarks_N3 - other.landmarks_N3)[:, :2]
    return float(np.linalg.norm(apart_N2, axis=1).mean())


def eye_distance_px(face: Face) -> float:
    """From one outer corner of the eyes to the other."""
    corners_22 = face.landmarks_N3[[RIGHT_EYE_OUTER, LEFT_EYE_OUTER], :2]
    return float(np.linalg.norm(corners_22[0] - corners_22[1]))


def pose_distance_deg(one_3: NDArray[np.floating], other_3: NDArray[np.floating]) -> float:
    """The angle of the rotation that brings one head pose to the other (Huynh 2009, eq. 23)."""
    trace = float(np.trace(rotation(one_3).T @ rotation(other_3)))
    return math.degrees(math.acos(min(1.0, max(-1.0, (trace - 1) / 2))))


def rotation(pose_deg_3: NDArray[np.floating]) -> NDArray[np.float64]:
    """The face-to-camera rotation (x right, y up, z towards the camera) that `liax.face.head_pose_deg` reads."""
    yaw, pitch, roll = np.radians(np.asarray(pose_deg_3, dtype=np.float64))
    forward_3 = np.array([math.sin(yaw) * math.cos(pitch), math.sin(pitch), math.cos(yaw) * math.cos(pitch)])
    level_right_3 = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
    level_up_3 = np.cross(forward_3, level_right_3)
    up_3 = math.sin(roll) * level_right_3 + math.cos(roll) * level_up_3
    return np.column_stack([np.cross(up_3, forward_3), up_3, forward_3])


def expression_distance(one_S: NDArray[np.floating], other_S: NDArray[np.floating]) -> float:
    """AED: the mean difference of the blendshapes but the first, `_neutral`, which says nothing."""
    return float(np.abs(one_S[1:] - other_S[1:]).mean())


def identity_similarity(one: Seen, other: Seen) -> float | None:
    """CSIM, the cosine of the embeddings, whose length is 1; None where there is no embedder."""
    if one.embedding_D is None or other.embedding_D is None:
        return None
    return min(1.0, float(one.embedding_D.astype(np.float64) @ other.embedding_D))
