"""Alignment of every frame: what was a turned, moved and scaled face is the same picture each time."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liax.crop import rotation
from pipelines.align import LEFT_EYE, MOUTH, RIGHT_EYE, aligned_squares

FACE = {**dict(zip(RIGHT_EYE, (-40, -20), strict=True)), **dict(zip(LEFT_EYE, (40, 20), strict=True))}


def landmarks(center_2: tuple[float, float], turn_deg: float, scale: float) -> np.ndarray:
    """Eyes 60 apart, the mouth 50 below them, turned about the middle of the eyes."""
    points_N3 = np.zeros((478, 3))
    for index, x in FACE.items():
        points_N3[index, 0] = x
    for index, x in zip(MOUTH, (-25, 25), strict=True):
        points_N3[index, :2] = x, 50
    points_N3[:, :2] = scale * points_N3[:, :2] @ rotation(turn_deg).T + center_2
    return points_N3


@given(
    st.tuples(st.floats(100, 900), st.floats(100, 900)), st.floats(-179, 179), st.floats(0.3, 5), st.integers(16, 512)
)
def test_the_face_is_at_its_place_whatever_it_did(
    center: tuple[float, float], turn_deg: float, scale: float, size_px: int
) -> None:
    points_1N3 = landmarks(center, turn_deg, scale)[None]
    aligned = aligned_squares(points_1N3)
    assert aligned.sides_T[0] == pytest.approx(2 * 60 * 2.0 * scale)
    moved_N3 = aligned.landmarks(points_1N3, size_px)[0]
    eyes_2 = moved_N3[[*RIGHT_EYE, *LEFT_EYE], :2].mean(axis=0)
    mouth_2 = moved_N3[list(MOUTH), :2].mean(axis=0)
    unit = size_px / 240
    assert eyes_2 == pytest.approx([size_px / 2, size_px / 2 - 5 * unit], abs=0.01)
    assert mouth_2 == pytest.approx([size_px / 2, size_px / 2 + 45 * unit], abs=0.01)


@pytest.mark.parametrize(("turn_deg", "scale"), [(0.0, 1.0), (25.0, 1.0), (-40.0, 0.5), (10.0, 3.0)])
def test_a_dot_in_the_picture_is_where_its_landmark_says(turn_deg: float, scale: float) -> None:
    points_N3 = landmarks((400.3, 350.8), turn_deg, scale)
    picture_HWC = np.zeros((800, 900, 3), np.uint8)
    left_2 = points_N3[list(LEFT_EYE), :2].mean(axis=0)
    # OpenCV's circles count from the middle of a pixel, in sixteenths.
    place = tuple(round((value - 0.5) * 16) for value in left_2)
    cv2.circle(picture_HWC, place, int(6 * scale * 16), (255, 255, 255), -1, cv2.LINE_AA, 4)
    aligned = aligned_squares(points_N3[None])
    small_HWC = aligned.warp(0, picture_HWC, 240)
    weights_HW = small_HWC[..., 0].astype(float)
    rows, columns = np.indices(weights_HW.shape) + 0.5
    seen_2 = np.array([(weights_HW * columns).sum(), (weights_HW * rows).sum()]) / weights_HW.sum()
    said_2 = aligned.landmarks(points_N3[None], 240)[0, list(LEFT_EYE), :2].mean(axis=0)
    assert seen_2 == pytest.approx(said_2, abs=0.1)


def test_the_share_outside_is_that_of_the_worst_frame() -> None:
    inside, half_out = landmarks((400, 400), 0, 1), landmarks((0, 400), 0, 1)
    assert aligned_squares(inside[None]).most_outside(800, 800) == 0
    assert aligned_squares(np.stack([inside, half_out])).most_outside(800, 800) == pytest.approx(0.5)
