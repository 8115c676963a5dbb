"""Faces made comparable: an embedding of one picture, close to those of other pictures of the same person.

Shapes: H W pixels, C colours (RGB), N landmarks (`liax.face`), P points, D values of an embedding, whose length is 1.
Distances are Euclidean, 0 to 2; between vectors of length 1 that is sqrt(2 - 2 cos).
"""

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from liax.errors import UserError
from liax.weights import DLIB_FACE_RECOGNITION, path_of


class Embedder(Protocol):
    """A network that makes faces comparable. Not to be shared between threads or inherited by a forked process."""

    name: str
    """Names the network and its weights: embeddings of different names must not be compared."""
    same_person: float
    """Two embeddings no further apart than this are of one person."""

    def embed(self, picture_HWC: NDArray[np.uint8], landmarks_N3: NDArray[np.floating]) -> NDArray[np.float32]:
        """The embedding (D,), of length 1, of a face in an RGB picture, by its landmarks in pixels of the picture."""
        ...


# Points of MediaPipe's face mesh. "Right" is the subject's, on the left of the picture.
RIGHT_EYE_OUTER, RIGHT_EYE_INNER, LEFT_EYE_INNER, LEFT_EYE_OUTER = 33, 133, 362, 263
NOSE_BASE, NOSE_TIP, MOUTH_RIGHT, MOUTH_LEFT = 2, 1, 61, 291


class DlibEmbedder:
    """dlib's ResNet: 128 values, trained on 3 M faces, 99.38 % on Labeled Faces in the Wild.

    The face is aligned by dlib's own rule for the five points of its predictor (the corners of both eyes and the base
    of the nose), but the points are MediaPipe's, which are better and already there.

    Source: https://dlib.net/face_recognition.py.html

    Args:
        weights: path or URL of the weights; None for the usual places (see `liax.weights`).

    Raises:
        UserError: the weights are not to be had.
    """

    name = "dlib-resnet-v1"
    same_person = 0.30
    """Our choice, for the mean over a clip. dlib advises 0.6 for single embeddings as they leave the network; their
    length is about 1.42, so that is 0.42 here, and among clips of 40 people it took many pairs of different ones for
    the same. Two recordings of one person, years apart, had means 0.29 apart; different people 0.32 and more. A pair
    wrongly joined costs little: both are on one side of the split."""

    def __init__(self, weights: str | None = None) -> None:
        import dlib

        self._dlib = dlib
        self._network = dlib.face_recognition_model_v1(str(path_of(DLIB_FACE_RECOGNITION, weights)))

    def embed(self, picture_HWC: NDArray[np.uint8], landmarks_N3: NDArray[np.floating]) -> NDArray[np.float32]:
        """See `Embedder`."""
        dlib = self._dlib
        order = (LEFT_EYE_OUTER, LEFT_EYE_INNER, RIGHT_EYE_OUTER, RIGHT_EYE_INNER, NOSE_BASE)
        points = [dlib.point(round(float(x)), round(float(y))) for x, y in landmarks_N3[list(order), :2]]
        # The rectangle takes no part in the alignment.
        face = dlib.full_object_detection(dlib.rectangle(0, 0, 1, 1), points)
        values = self._network.compute_face_descriptor(np.ascontiguousarray(picture_HWC), face)
        return unit(np.array(values, dtype=np.float32))


ARCFACE_TEMPLATE_P2 = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
"""Where the right eye, left eye, nose tip and corners of the mouth lie in the 112 x 112 pictures of ArcFace's training.

Source: https://github.com/deepinsight/insightface, python-package/insightface/utils/face_align.py
"""
ARCFACE_SIDE_PX = 112


class ArcFaceEmbedder:
    """A network in ArcFace's form (Deng et al. 2019, arXiv:1801.07698): 112 x 112 RGB in, scaled to -1…1.

    Args:
        path: an ONNX file.

    Raises:
        UserError: the file is missing or is not such a network.
    """

    same_person = 1.128
    """OpenCV's for a network of this kind, the same as a cosine of 0.363
    (https://docs.opencv.org/4.x/d0/dd4/tutorial_dnn_face.html)."""

    def __init__(self, path: str | Path) -> None:
        import cv2

        if not Path(path).is_file():
            raise UserError(f"no such file: {path} (given as people.arcface)")
        self.name = f"arcface-{hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]}"
        self._cv2, self._where = cv2, path
        try:
            self._network = cv2.dnn.readNetFromONNX(str(path))
            self._run(np.zeros((ARCFACE_SIDE_PX, ARCFACE_SIDE_PX, 3), dtype=np.uint8))
        except cv2.error as error:
            detail = " ".join(str(error).split())[:200]
            raise UserError(f"{path} is not an ONNX network for 112 x 112 RGB pictures: {detail}") from None

    def embed(self, picture_HWC: NDArray[np.uint8], landmarks_N3: NDArray[np.floating]) -> NDArray[np.float32]:
        """See `Embedder`."""
        points_N2 = np.asarray(landmarks_N3, dtype=np.float64)[:, :2]
        # The irises move with the gaze; the middle between an eye's corners does not.
        eyes = [
            points_N2[[RIGHT_EYE_OUTER, RIGHT_EYE_INNER]].mean(0),
            points_N2[[LEFT_EYE_OUTER, LEFT_EYE_INNER]].mean(0),
        ]
        points_P2 = np.stack([*eyes, *points_N2[[NOSE_TIP, MOUTH_RIGHT, MOUTH_LEFT]]])
        matrix_23 = similarity(points_P2, ARCFACE_TEMPLATE_P2)
        size_px = (ARCFACE_SIDE_PX, ARCFACE_SIDE_PX)
        shrink = float(np.hypot(matrix_23[0, 0], matrix_23[1, 0]))
        # Warping samples single points: a large face would alias, so the picture is first blurred to the new scale.
        source_HWC = self._cv2.GaussianBlur(picture_HWC, (0, 0), 0.5 / shrink) if shrink < 0.5 else picture_HWC
        return unit(self._run(self._cv2.warpAffine(source_HWC, matrix_23, size_px)))

    def _run(self, chip_HWC: NDArray) -> NDArray[np.float32]:
        blob = self._cv2.dnn.blobFromImage(chip_HWC, 1 / 127.5, mean=(127.5, 127.5, 127.5))
        self._network.setInput(blob)
        return np.asarray(self._network.forward(), dtype=np.float32).reshape(-1)


def similarity(points_P2: NDArray[np.floating], onto_P2: NDArray[np.floating]) -> NDArray[np.float64]:
    """The rotation, scale and shift (2 x 3) that bring points closest to others, in least squares.

    Source: Umeyama 1991, "Least-squares estimation of transformation parameters between two point patterns". In two
    dimensions, as complex numbers, it is one division.
    """
    points_P, onto_P = (np.asarray(p, dtype=np.float64) @ np.array([1, 1j]) for p in (points_P2, onto_P2))
    centred_P = points_P - points_P.mean()
    turn = np.vdot(centred_P, onto_P - onto_P.mean()) / np.vdot(centred_P, centred_P)
    shift = onto_P.mean() - turn * points_P.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def unit(values_D: NDArray[np.floating]) -> NDArray[np.float32]:
    """A vector's direction, at length 1."""
    return (values_D / np.linalg.norm(values_D)).astype(np.float32)
