import numpy as np
import pytest
import skimage.data

from liax.face import BLENDSHAPES, FACE_POINTS, FaceFinder, head_pose_deg, overlap


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    with FaceFinder() as finder:
        yield finder


def rotation(axis: str, angle_deg: float) -> np.ndarray:
    """A face-to-camera matrix (x right, y up, z towards the camera) turned about one axis, right-handed."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    matrix = np.eye(4)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


def test_pose_signs() -> None:
    """About y: z goes to x, the face looks right in the picture, which is the subject's left."""
    assert head_pose_deg(rotation("y", 20)) == pytest.approx([20, 0, 0], abs=1e-4)
    assert head_pose_deg(rotation("x", -15)) == pytest.approx([0, 15, 0], abs=1e-4)
    assert head_pose_deg(rotation("z", -10)) == pytest.approx([0, 0, 10], abs=1e-4)


def test_roll_is_free_of_yaw_and_pitch() -> None:
    turned = rotation("y", 30) @ rotation("x", -20) @ rotation("z", -10)
    assert head_pose_deg(turned) == pytest.approx([30, 20, 10], abs=1e-3)


def test_a_known_face_is_found(finder: FaceFinder) -> None:
    (face,) = finder.find(skimage.data.astronaut())
    assert face.landmarks_N3.shape == (FACE_POINTS, 3)
    assert face.blendshapes_S.shape == (len(BLENDSHAPES),)
    left, top, right, bottom = face.box_px
    assert (left, top, right, bottom) == pytest.approx((181, 72, 270, 177), abs=8)
    assert face.side_px == pytest.approx(105, abs=8)
    smile = face.blendshapes_S[BLENDSHAPES.index("mouthSmileLeft")]
    assert smile > 0.5


def test_rolling_the_picture_rolls_the_head(finder: FaceFinder) -> None:
    import cv2

    picture = skimage.data.astronaut()
    clockwise = cv2.warpAffine(picture, cv2.getRotationMatrix2D((225, 125), -20, 1), (512, 512))
    before, after = (finder.find(p)[0].head_pose_deg[2] for p in (picture, clockwise))
    assert after - before == pytest.approx(20, abs=3)


def test_blendshapes_are_in_mediapipes_order(finder: FaceFinder) -> None:
    import mediapipe

    picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=skimage.data.astronaut())
    (shapes,) = finder._landmarker.detect(picture).face_blendshapes
    assert tuple(shape.category_name for shape in shapes) == BLENDSHAPES


def test_no_face(finder: FaceFinder) -> None:
    assert finder.find(np.full((200, 300, 3), 128, np.uint8)) == []


def test_overlap_of_known_boxes() -> None:
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0
