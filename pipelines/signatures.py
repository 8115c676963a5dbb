"""What a clip is recognised by in other sources: a face embedding and perceptual hashes of its key frames.

Shapes: D values of an embedding, H W pixels, C = 3 RGB.
"""

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liax.config import Config
from liax.identity import Embedder, unit
from liax.sample import FaceArrays
from pipelines.stills import Still, spread

MOST_HASHES = 16
"""Our choice: a copy that is cut otherwise has a key frame within half a second of one of these, in clips of 20 s."""
MOST_EMBEDDED = 3
"""Our choice: the mean of three is as good as that of sixteen to two digits, and dlib takes 0.1 s a picture."""
MOST_TURNED_DEG = 60.0
"""Faces turned further than this, in yaw or pitch, are not embedded: the networks were trained on few such."""


class ClipSignature(Config):
    """Small enough (about a kilobyte of JSON) that a million of them fit into a driver's memory."""

    embedder: str | None
    """Name of the network that made the embedding."""
    embedding: str | None
    """Float16 values, little-endian, in base64; None where no face was good enough or no embedder was used."""
    hashes: list[str]
    """64-bit perceptual hashes of key frames in the order of time, in hexadecimal."""

    @property
    def embedding_D(self) -> NDArray[np.float32] | None:
        """The embedding, of length 1 as far as its 11 bits go."""
        if self.embedding is None:
            return None
        return np.frombuffer(base64.b64decode(self.embedding), dtype="<f2").astype(np.float32)

    @property
    def hash_values(self) -> NDArray[np.uint64]:
        """The hashes as numbers."""
        return np.array([int(text, 16) for text in self.hashes], dtype=np.uint64)


def clip_signature(stills: Sequence[Still], faces: FaceArrays, embedder: Embedder | None) -> ClipSignature:
    """The signature of a clip.

    Args:
        stills: its key frames, in order.
        faces: of all its frames, in pixels of the clip.
        embedder: makes faces comparable; None leaves the embedding out.
    """
    hashed = [stills[index] for index in spread(len(stills), MOST_HASHES)]
    embedding = None
    if embedder is not None:
        chosen = _best(hashed, faces)
        if chosen:
            vectors = [embedder.embed(still.picture_HWC, faces.landmarks_TN3[still.frame]) for still in chosen]
            mean_D = unit(np.mean(vectors, axis=0))
            embedding = base64.b64encode(mean_D.astype("<f2").tobytes()).decode()
    return ClipSignature(
        embedder=None if embedder is None else embedder.name,
        embedding=embedding,
        hashes=[picture_hash(still.picture_HWC) for still in hashed],
    )


def picture_hash(picture_HWC: NDArray[np.uint8]) -> str:
    """The 64 signs of a picture's lowest spatial frequencies, as 16 hexadecimal digits.

    Source: `PHash` of OpenCV's img_hash, after Zauner 2010, "Implementation and benchmarking of perceptual image hash
    functions".
    """
    import cv2

    luma_HW = cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2GRAY)
    small_HW = cv2.resize(luma_HW, (64, 64), interpolation=cv2.INTER_AREA)  # the hash itself samples single pixels
    return bytes(cv2.img_hash.pHash(small_HW).reshape(-1)).hex()


def _best(stills: Sequence[Still], faces: FaceArrays) -> list[Still]:
    """The stills to embed: of the half that faces the camera most, the sharpest, in the order of time."""
    turned = {still.frame: float(np.abs(faces.head_pose_T3[still.frame, :2]).max()) for still in stills}
    usable = sorted(
        (still for still in stills if turned[still.frame] <= MOST_TURNED_DEG),
        key=lambda still: (turned[still.frame], still.frame),
    )
    frontal = usable[: max(MOST_EMBEDDED, len(usable) // 2)]
    blurred_last = sorted(frontal, key=lambda still: (-_sharpness(still, faces), still.frame))
    return sorted(blurred_last[:MOST_EMBEDDED], key=lambda still: still.frame)


def _sharpness(still: Still, faces: FaceArrays) -> float:
    """Variance of the Laplacian over the face's box (Pech-Pacheco et al. 2000), to compare stills of one clip by."""
    import cv2

    height_px, width_px = still.picture_HWC.shape[:2]
    left, top, right, bottom = faces.boxes_T4[still.frame].astype(int)
    face_HWC = still.picture_HWC[max(0, top) : min(height_px, bottom), max(0, left) : min(width_px, right)]
    if not face_HWC.size:
        return 0.0
    return float(cv2.Laplacian(cv2.cvtColor(face_HWC, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var())
