import numpy as np
import pytest
import skimage.data

from liax.sample import FaceArrays
from pipelines.signatures import MOST_HASHES, ClipSignature, clip_signature, picture_hash
from pipelines.stills import Still

FRAMES = 160


class FrameEmbedder:
    """Tells which still it was given: the still's grey level, as a direction."""

    name = "frames"
    same_person = 0.3

    def __init__(self) -> None:
        self.asked: list[int] = []

    def embed(self, picture_HWC: np.ndarray, landmarks_N3: np.ndarray) -> np.ndarray:
        frame = int(landmarks_N3[0, 0])
        self.asked.append(frame)
        vector = np.zeros(512, dtype=np.float32)
        vector[frame] = 1
        return vector


def faces(yaw_deg: np.ndarray) -> FaceArrays:
    landmarks = np.zeros((FRAMES, 478, 3), dtype=np.float32)
    landmarks[:, 0, 0] = np.arange(FRAMES)
    boxes = np.tile(np.array([8, 8, 56, 56], dtype=np.float32), (FRAMES, 1))
    pose = np.zeros((FRAMES, 3), dtype=np.float32)
    pose[:, 0] = yaw_deg
    return FaceArrays(landmarks, boxes, pose, np.zeros((FRAMES, 52), np.float32), np.ones(FRAMES, dtype=bool))


def stills(blurred: set[int]) -> list[Still]:
    import cv2

    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(noise, (9, 9), 0), dtype=np.uint8)
    return [Still(frame, smooth if frame in blurred else noise) for frame in range(0, FRAMES, 10)]


def test_the_sharpest_of_the_frontal_stills_are_embedded() -> None:
    yaw = np.full(FRAMES, 40.0)
    yaw[:80] = 5.0  # the first eight stills of sixteen face the camera
    embedder = FrameEmbedder()
    signature = clip_signature(stills(blurred={0, 10, 30, 50, 60}), faces(yaw), embedder)
    assert embedder.asked == [20, 40, 70]
    vector = signature.embedding_D
    assert vector is not None
    assert np.flatnonzero(vector).tolist() == [20, 40, 70]
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)


def test_a_profile_is_not_embedded() -> None:
    embedder = FrameEmbedder()
    signature = clip_signature(stills(set()), faces(np.full(FRAMES, -75.0)), embedder)
    assert (signature.embedding, signature.embedder, embedder.asked) == (None, "frames", [])
    assert signature.embedding_D is None


def test_a_signature_is_small_and_survives_json() -> None:
    signature = clip_signature(stills(set()) * 4, faces(np.zeros(FRAMES)), FrameEmbedder())
    text = signature.model_dump_json()
    assert len(text) <= 2048
    assert len(signature.hashes) == MOST_HASHES
    again = ClipSignature.model_validate_json(text)
    assert again == signature
    assert np.array_equal(again.hash_values, signature.hash_values)


def test_without_an_embedder_there_are_hashes() -> None:
    signature = clip_signature(stills(set())[:3], faces(np.zeros(FRAMES)), None)
    assert (signature.embedder, signature.embedding, len(signature.hashes)) == (None, None, 3)


def test_a_picture_hash_changes_little_with_size_and_light_and_much_with_the_picture() -> None:
    import cv2

    picture = skimage.data.astronaut()
    smaller = cv2.resize(picture, (200, 200), interpolation=cv2.INTER_AREA)
    brighter = np.clip(picture * 0.8 + 50, 0, 255).astype(np.uint8)

    def bits(one: np.ndarray, other: np.ndarray) -> int:
        return (int(picture_hash(one), 16) ^ int(picture_hash(other), 16)).bit_count()

    assert max(bits(picture, smaller), bits(picture, brighter)) <= 6
    assert bits(picture, skimage.data.chelsea()) > 16
