"""The moving portrait: what MediaPipe measures in it must follow the motion, with the project's signs."""

from collections.abc import Iterator

import numpy as np
import pytest

from liax.face import BLENDSHAPES, Face, FaceFinder
from liax.synthetic.motion import STILL, Motion, motion_track
from liax.synthetic.scenes import portrait_warp

FRAME_PX = 320
NOSE_TIP, LIP_UPPER, LIP_LOWER = 1, 13, 14


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder(max_faces=1) as made:
        yield made


def render(motion: Motion) -> np.ndarray:
    face = portrait_warp()
    backdrop = np.full((FRAME_PX, FRAME_PX, 3), 90, np.uint8)
    return face.render(motion, face.view(0.45, FRAME_PX), backdrop)


def measure(finder: FaceFinder, motion: Motion) -> Face:
    return finder.find(render(motion))[0]


def blendshape(face: Face, name: str) -> float:
    return float(face.blendshapes_S[BLENDSHAPES.index(name)])


@pytest.mark.parametrize(("angle", "index"), [("yaw_deg", 0), ("pitch_deg", 1), ("roll_deg", 2)])
def test_head_turns_the_way_it_is_told(finder: FaceFinder, angle: str, index: int) -> None:
    against, still, along = (measure(finder, Motion(**{angle: deg})).head_pose_deg[index] for deg in (-12, 0, 12))
    assert along - still > 3
    assert still - against > 3


def test_positive_yaw_moves_the_nose_to_the_right_and_positive_pitch_moves_it_up(finder: FaceFinder) -> None:
    still, left, up = (
        measure(finder, m).landmarks_N3[NOSE_TIP] for m in (STILL, Motion(yaw_deg=15), Motion(pitch_deg=10))
    )
    assert left[0] - still[0] > 8
    assert still[1] - up[1] > 4


def test_mouth_opens_and_is_dark_inside(finder: FaceFinder) -> None:
    gaps = []
    for amount in (0.0, 0.5, 1.0):
        points = measure(finder, Motion(mouth_open=amount)).landmarks_N3
        gaps.append(points[LIP_LOWER, 1] - points[LIP_UPPER, 1])
    assert gaps[2] > gaps[1] + 3 > gaps[0] + 6
    face = portrait_warp()
    lips = face.landmarks(Motion(mouth_open=1.0), face.view(0.45, FRAME_PX), FRAME_PX)[[LIP_UPPER, LIP_LOWER]]
    x, y = (0.4 * lips[0] + 0.6 * lips[1]).round().astype(int)
    assert render(Motion(mouth_open=1.0))[y, x].max() < 80


def test_each_eye_closes_alone(finder: FaceFinder) -> None:
    still, left = measure(finder, STILL), measure(finder, Motion(blink_left=1.0))
    assert blendshape(left, "eyeBlinkLeft") - blendshape(still, "eyeBlinkLeft") > 0.08
    assert abs(blendshape(left, "eyeBlinkRight") - blendshape(still, "eyeBlinkRight")) < 0.06


@pytest.mark.parametrize(
    "motion",
    [STILL, Motion(yaw_deg=15, x=0.04), Motion(roll_deg=-9, scale=1.1), Motion(pitch_deg=8, y=-0.03, smile=0.5)],
)
def test_true_landmarks_are_where_mediapipe_sees_them(finder: FaceFinder, motion: Motion) -> None:
    face = portrait_warp()
    true_N2 = face.landmarks(motion, face.view(0.45, FRAME_PX), FRAME_PX)
    found_N2 = measure(finder, motion).landmarks_N3[:, :2]
    assert np.abs(true_N2 - found_N2).mean() < 0.012 * FRAME_PX * 0.45 + 0.5


def test_a_still_portrait_is_the_portrait() -> None:
    face = portrait_warp()
    height_px, width_px = face.picture_HWC.shape[:2]
    view = face.view(face.face_height_px / height_px, height_px, 0, 0)
    # Placed so that the face's middle stays where it is, at the portrait's own scale.
    view = type(view)(view.centre_x_px, view.centre_y_px, 1.0, view.centre_x_px, view.centre_y_px)
    drawn = face.render(STILL, view, np.zeros_like(face.picture_HWC))
    difference = np.abs(drawn.astype(int) - face.picture_HWC)
    assert difference[2:-2, 2:-2].mean() < 0.05
    assert drawn.shape == (height_px, width_px, 3)


def test_tracks_repeat_with_their_seed_and_stay_in_range() -> None:
    track = motion_track(5, 4.0, 25)
    assert len(track) == 100
    assert track == motion_track(5, 4.0, 25)
    assert track != motion_track(6, 4.0, 25)
    for motion in track:
        assert 0 <= motion.mouth_open <= 1
        assert 0 <= motion.blink_left <= 1
        assert abs(motion.yaw_deg) <= 24
        assert 0.9 < motion.scale < 1.1
    assert max(motion.blink_left for motion in track) > 0.9
