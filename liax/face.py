"""Faces in a picture, by MediaPipe's face landmarker: 478 landmarks, head pose and 52 blendshapes each.

Shapes: N landmarks, S blendshapes, H W pixels, C colours. Coordinates in pixels of the picture, x right, y down.
Angles in degrees: yaw > 0 the subject turns to their left (the nose moves right in the picture), pitch > 0 up,
roll > 0 the head tilts to their left (clockwise in the picture).

Source: https://ai.google.dev/edge/mediapipe/solutions/vision/face_landmarker
"""

import importlib.util
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from liax import gl_stub
from liax.weights import FACE_LANDMARKER, path_of

FACE_POINTS = 478
"""Landmarks of a face: 468 of its surface and 10 of the irises."""

# fmt: off
BLENDSHAPES: tuple[str, ...] = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)
# fmt: on


Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / (areas - width * height)


SAME_FACE_OVERLAP = 0.5
"""Two faces found in one picture that overlap more than this are one face found twice (our choice: two heads, one in
front of the other, overlap less)."""


LEAST_DETECTED = 0.12
"""Share of a picture's longer side that a face must fill to be detected. Measured on 60 pictures of 10 people: all are
found at this size, 97 % at 0.10, 53 % at 0.08."""


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one picture.

    Args:
        landmarks_N3: float32; x, y in pixels, depth in the same scale (smaller is nearer).
        box_px: left, top, right, bottom of the landmarks.
        head_pose_deg: float32; yaw, pitch, roll.
        blendshapes_S: float32; 0…1, in the order of `BLENDSHAPES`.
    """

    landmarks_N3: NDArray[np.float32]
    box_px: Box
    head_pose_deg: NDArray[np.float32]
    blendshapes_S: NDArray[np.float32]

    @property
    def side_px(self) -> float:
        """The longer side of the box: the face's size in every rule of this project."""
        left, top, right, bottom = self.box_px
        return max(right - left, bottom - top)


def distinct(faces: Iterable[Face]) -> list[Face]:
    """The faces of one picture without second findings of the same one, the largest first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face.side_px):
        if all(overlap(face.box_px, other.box_px) <= SAME_FACE_OVERLAP for other in kept):
            kept.append(face)
    return kept


class FaceFinder:
    """Finds the faces of single pictures. Not to be shared between threads or inherited by a forked process.

    Args:
        max_faces: how many faces to look for at most.
        least_confidence: of detection and of the landmarks, 0…1.
        weights: path or URL of the landmarker's bundle; None for the usual places (see `liax.weights`).

    Raises:
        UserError: the bundle is not to be had.
    """

    def __init__(self, max_faces: int = 8, least_confidence: float = 0.3, weights: str | None = None) -> None:
        bundle = path_of(FACE_LANDMARKER, weights)
        self._mediapipe, vision = _load_mediapipe()
        base = self._mediapipe.tasks.BaseOptions(model_asset_buffer=bundle.read_bytes())
        options = vision.FaceLandmarkerOptions(
            base_options=base,
            num_faces=max_faces,
            min_face_detection_confidence=least_confidence,
            min_face_presence_confidence=least_confidence,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        with _quiet_stderr():
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
        self._bundle, self._least_confidence = bundle, least_confidence
        self._detector: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the landmarker. Needed: MediaPipe cannot clean up after itself once the interpreter is ending."""
        self._landmarker.close()
        if self._detector is not None:
            self._detector.close()

    def detect(self, picture_HWC: NDArray[np.uint8]) -> list[Box]:
        """Boxes from brow to chin of all faces of an uint8 RGB picture, without landmarks, in a third of the time.

        MediaPipe's short-range detector sees 128 x 128 pixels: faces smaller than `LEAST_DETECTED` of the picture's
        longer side escape it, and it takes some things for faces that `find` refuses.
        """
        import zipfile

        mediapipe = self._mediapipe
        if self._detector is None:
            with zipfile.ZipFile(self._bundle) as archive:
                base = mediapipe.tasks.BaseOptions(model_asset_buffer=archive.read("face_detector.tflite"))
            vision = mediapipe.tasks.vision
            options = vision.FaceDetectorOptions(base_options=base, min_detection_confidence=self._least_confidence)
            with _quiet_stderr():
                self._detector = vision.FaceDetector.create_from_options(options)
        picture = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture_HWC, dtype=np.uint8)
        )
        boxes = [found.bounding_box for found in self._detector.detect(picture).detections]
        return [
            (float(b.origin_x), float(b.origin_y), float(b.origin_x + b.width), float(b.origin_y + b.height))
            for b in boxes
        ]

    def find(self, picture_HWC: NDArray[np.uint8]) -> list[Face]:
        """All faces of an uint8 RGB picture, the largest first."""
        height_px, width_px = picture_HWC.shape[:2]
        mediapipe = self._mediapipe
        picture = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture_HWC, dtype=np.uint8)
        )
        result = self._landmarker.detect(picture)
        # MediaPipe scales depth like x, by the picture's width.
        scale_3 = np.array([width_px, height_px, width_px], dtype=np.float32)
        faces = []
        for points, matrix, shapes in zip(
            result.face_landmarks, result.facial_transformation_matrixes, result.face_blendshapes, strict=True
        ):
            landmarks_N3 = np.array([(p.x, p.y, p.z) for p in points], dtype=np.float32) * scale_3
            left, top = landmarks_N3[:, :2].min(axis=0)
            right, bottom = landmarks_N3[:, :2].max(axis=0)
            faces.append(
                Face(
                    landmarks_N3=landmarks_N3,
                    box_px=(float(left), float(top), float(right), float(bottom)),
                    head_pose_deg=head_pose_deg(np.asarray(matrix)),
                    blendshapes_S=np.array([shape.score for shape in shapes], dtype=np.float32),
                )
            )
        return sorted(faces, key=lambda face: -face.side_px)


def head_pose_deg(matrix_44: NDArray[np.floating]) -> NDArray[np.float32]:
    """Yaw, pitch and roll of MediaPipe's face-to-camera matrix (x right, y up, z towards the camera).

    The face looks along +z. Its direction gives yaw and pitch, what is left is roll.
    """
    rotation_33 = matrix_44[:3, :3] / np.linalg.norm(matrix_44[:3, :3], axis=0)
    forward_x, forward_y, forward_z = rotation_33[:, 2]
    yaw = math.atan2(forward_x, forward_z)
    pitch = math.asin(max(-1.0, min(1.0, forward_y)))
    # Roll: where the face's up direction points, seen along its line of sight. Towards the picture's right is positive.
    level_right = np.array([math.cos(yaw), 0.0, -math.sin(yaw)])
    up = rotation_33[:, 1]
    level_up = np.cross(rotation_33[:, 2], level_right)
    roll = math.atan2(float(up @ level_right), float(up @ level_up))
    return np.degrees(np.array([yaw, pitch, roll])).astype(np.float32)


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hide what MediaPipe's C++ code writes while it starts; it offers no setting for it, and it is no error."""
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _load_mediapipe() -> tuple[Any, Any]:
    """MediaPipe and its vision tasks; imported here because that takes seconds."""
    found = importlib.util.find_spec("mediapipe")
    if found is not None and found.origin is not None:
        library = Path(found.origin).parent / "tasks" / "c" / "libmediapipe.so"
        if library.is_file():
            gl_stub.provide(library)
    import mediapipe
    from mediapipe.tasks.python import vision

    return mediapipe, vision
