from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st

from liax.errors import UserError
from liax.face import FaceFinder
from liax.identity import (
    ARCFACE_TEMPLATE_P2,
    LEFT_EYE_INNER,
    LEFT_EYE_OUTER,
    MOUTH_LEFT,
    MOUTH_RIGHT,
    NOSE_TIP,
    RIGHT_EYE_INNER,
    RIGHT_EYE_OUTER,
    ArcFaceEmbedder,
    DlibEmbedder,
    similarity,
)


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray]:
    picture = skimage.data.astronaut()
    with FaceFinder(1) as finder:
        return picture, finder.find(picture)[0].landmarks_N3


@pytest.fixture(scope="module")
def dlib_embedder() -> DlibEmbedder:
    return DlibEmbedder()


def turned(picture: np.ndarray, landmarks: np.ndarray, angle_deg: float, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture rotated and scaled about the face, and its landmarks with it."""
    import cv2

    matrix = cv2.getRotationMatrix2D((225, 125), angle_deg, scale)
    moved = np.concatenate([landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2], landmarks[:, 2:]], axis=1)
    return cv2.warpAffine(picture, matrix, (512, 512), flags=cv2.INTER_CUBIC), moved


@pytest.mark.parametrize(("angle_deg", "scale"), [(25.0, 1.0), (-40.0, 1.3), (0.0, 0.8)])
def test_dlibs_embedding_does_not_depend_on_place_angle_and_size(
    dlib_embedder: DlibEmbedder, face: tuple[np.ndarray, np.ndarray], angle_deg: float, scale: float
) -> None:
    picture, landmarks = face
    straight = dlib_embedder.embed(picture, landmarks)
    assert straight.shape == (128,)
    assert np.linalg.norm(straight) == pytest.approx(1, abs=1e-5)
    moved = dlib_embedder.embed(*turned(picture, landmarks, angle_deg, scale))
    assert np.linalg.norm(straight - moved) < 0.8 * DlibEmbedder.same_person
    # The landmarks do it: with those of the unturned picture another part of it is compared.
    if angle_deg:
        wrong = dlib_embedder.embed(turned(picture, landmarks, angle_deg, scale)[0], landmarks)
        assert np.linalg.norm(straight - wrong) > DlibEmbedder.same_person


@settings(max_examples=50)
@given(
    angle=st.floats(-3.1, 3.1), scale=st.floats(0.1, 10), x=st.floats(-500, 500), y=st.floats(-500, 500),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_similarity_is_found(angle: float, scale: float, x: float, y: float, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0, 500, (5, 2))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    expected = np.concatenate([turn, [[x], [y]]], axis=1)
    assert similarity(points, points @ turn.T + [x, y]) == pytest.approx(expected, abs=1e-6 * max(1, scale) * 500)


def test_similarity_is_the_best_in_least_squares() -> None:
    random = np.random.default_rng(0)
    points, onto = random.uniform(0, 100, (5, 2)), random.uniform(0, 100, (5, 2))
    best = similarity(points, onto)

    def error(matrix: np.ndarray) -> float:
        return float(((points @ matrix[:, :2].T + matrix[:, 2] - onto) ** 2).sum())

    for _ in range(50):
        a, b, x, y = random.normal(0, 0.01, 4)
        other = best + np.array([[a, -b, x], [b, a, y]])
        assert error(other) > error(best)


def averaging_network(path: Path) -> Path:
    """An ONNX file, written by hand, whose one layer is an average over 16 x 16 pixels: (1, 3, 7, 7) out."""

    def field(number: int, payload: bytes) -> bytes:
        return bytes([number << 3 | 2]) + varint(len(payload)) + payload

    def varint(value: int) -> bytes:
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    def number(tag: int, value: int) -> bytes:
        return bytes([tag << 3]) + varint(value)

    def value_info(name: str, shape: list[int]) -> bytes:
        dims = b"".join(field(1, number(1, size)) for size in shape)
        return field(1, name.encode()) + field(2, field(1, number(1, 1) + field(2, dims)))

    def ints(name: str) -> bytes:
        return field(5, field(1, name.encode()) + number(8, 16) + number(8, 16) + ints_type)

    ints_type = varint(20 << 3) + varint(7)

    node = field(1, b"in") + field(2, b"out") + field(4, b"AveragePool") + ints("kernel_shape") + ints("strides")
    graph = field(1, node) + field(2, b"g")
    graph += field(11, value_info("in", [1, 3, 112, 112])) + field(12, value_info("out", [1, 3, 7, 7]))
    opset = field(1, b"") + number(2, 11)
    path.write_bytes(number(1, 7) + field(7, graph) + field(8, opset))
    return path


def test_arcfaces_form(tmp_path: Path, face: tuple[np.ndarray, np.ndarray]) -> None:
    """The network sees the face upright in the template's place, whatever its place in the picture."""
    embedder = ArcFaceEmbedder(averaging_network(tmp_path / "network.onnx"))
    picture, landmarks = face
    straight = embedder.embed(picture, landmarks)
    assert straight.shape == (147,)
    assert np.linalg.norm(straight) == pytest.approx(1, abs=1e-5)
    moved = embedder.embed(*turned(picture, landmarks, 30.0, 1.2))
    assert straight @ moved > 0.97
    assert straight @ embedder.embed(turned(picture, landmarks, 30.0, 1.2)[0], landmarks) < 0.9


def test_arcfaces_colours_are_red_green_blue_from_minus_one_to_one(tmp_path: Path) -> None:
    embedder = ArcFaceEmbedder(averaging_network(tmp_path / "network.onnx"))
    landmarks = np.zeros((478, 3))
    for index, place in zip(
        [RIGHT_EYE_OUTER, LEFT_EYE_OUTER, NOSE_TIP, MOUTH_RIGHT, MOUTH_LEFT], ARCFACE_TEMPLATE_P2, strict=True
    ):
        landmarks[index, :2] = place
    landmarks[RIGHT_EYE_INNER], landmarks[LEFT_EYE_INNER] = landmarks[RIGHT_EYE_OUTER], landmarks[LEFT_EYE_OUTER]
    red = np.zeros((112, 112, 3), dtype=np.uint8)
    red[..., 0] = 255
    values = embedder.embed(red, landmarks).reshape(3, 49)
    assert values[0] == pytest.approx(1 / np.sqrt(147), abs=1e-4)
    assert values[1:] == pytest.approx(-1 / np.sqrt(147), abs=1e-4)


def test_arcfaces_name_is_its_content(tmp_path: Path) -> None:
    one = ArcFaceEmbedder(averaging_network(tmp_path / "a.onnx"))
    other = ArcFaceEmbedder(averaging_network(tmp_path / "b.onnx"))
    assert one.name == other.name
    assert one.name.startswith("arcface-")


@pytest.mark.parametrize("content", [None, b"no network"])
def test_a_wrong_network_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "network.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="people.arcface" if content is None else "is not an ONNX network"):
        ArcFaceEmbedder(path)
