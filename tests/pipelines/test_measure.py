"""Values for every frame of a clip from a track's samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liax.crop import Square
from pipelines.measure import between_samples, face_arrays
from pipelines.tracking import Track


def track_with(times_s: list[float], yaw_deg: list[float]) -> Track:
    """A face of two landmarks that moves 100 px a second to the right."""
    x = 100 * np.array(times_s)
    landmarks = np.zeros((len(times_s), 2, 3), dtype=np.float32)
    landmarks[:, 0, 0], landmarks[:, 1, 0], landmarks[:, 1, 1], landmarks[:, 1, 2] = x, x + 40, 60, 20
    pose = np.zeros((len(times_s), 3), dtype=np.float32)
    pose[:, 0] = yaw_deg
    shapes = np.tile(np.array(times_s, dtype=np.float32)[:, None], (1, 52))
    boxes, agreement = np.zeros((len(times_s), 4), dtype=np.float32), np.zeros(len(times_s), dtype=np.float32)
    return Track(np.array(times_s), landmarks, boxes, pose, shapes, agreement)


def test_values_follow_the_shown_moment_in_pixels_of_the_clip() -> None:
    track = track_with([0.0, 0.1, 0.2], [0, 10, 20])
    shown = np.array([0.0, 0.04, 0.1, 0.15, 0.2, 0.24])
    faces = face_arrays(track, shown, Square(10, 20, 200), 100)
    assert faces.landmarks_TN3[:, 0, 0] == pytest.approx((100 * np.minimum(shown, 0.2) - 10) / 2)
    assert faces.landmarks_TN3[:, 1, 1] == pytest.approx(np.full(6, 20.0))
    assert faces.landmarks_TN3[:, 1, 2] == pytest.approx(np.full(6, 10.0))
    assert faces.boxes_T4[2].tolist() == pytest.approx([0, -10, 20, 20])
    assert faces.head_pose_T3[:, 0] == pytest.approx([0, 4, 10, 15, 20, 20])
    assert faces.blendshapes_TS[3, 7] == pytest.approx(0.15)
    assert faces.measured_T.tolist() == [True, False, True, False, True, False]


def test_angles_take_the_short_way_round() -> None:
    track = track_with([0.0, 1.0], [170, -170])
    faces = face_arrays(track, np.array([0.0, 0.25, 0.5, 0.75]), Square(0, 0, 100), 100)
    assert np.abs(faces.head_pose_T3[:, 0]) == pytest.approx([170, 175, 180, 175])


def test_a_single_sample_holds() -> None:
    faces = face_arrays(track_with([0.5], [3]), np.array([0.4, 0.5, 0.6]), Square(0, 0, 100), 100)
    assert faces.head_pose_T3[:, 0] == pytest.approx([3, 3, 3])
    assert faces.measured_T.tolist() == [False, True, False]


@given(
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=20),
    st.lists(st.floats(-5.0, 25.0), min_size=1, max_size=30),
    st.floats(-3, 3),
)
def test_a_straight_line_is_interpolated_exactly(gaps: list[float], wanted: list[float], slope: float) -> None:
    times = np.cumsum(gaps)
    values = between_samples(times, (slope * times)[:, None], np.array(wanted))[:, 0]
    assert values == pytest.approx(slope * np.clip(wanted, times[0], times[-1]), abs=1e-9)
