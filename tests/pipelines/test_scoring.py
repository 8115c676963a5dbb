from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from liax.crop import extents
from liax.sample import CropInfo, FaceArrays
from pipelines import scoring
from pipelines.scoring import clip_scores
from pipelines.stills import Still
from pipelines.text_overlay import text_share
from pipelines.tracking import Track

SIZE_PX, FRAMES, FPS = 256, 25, 25.0
CROP = CropInfo(
    left_px=100, top_px=50, side_px=512, source_width_px=800, source_height_px=600, align="clip", padded=False
)
RANDOM = np.random.default_rng(7)
FACE_N3 = RANDOM.uniform(64, 192, size=(478, 3))


def clip(landmarks_TN3: NDArray, angles_T3: NDArray | None = None) -> tuple[FaceArrays, Track]:
    """What is known of a face that moves so in the clip; the source is the clip at twice the size."""
    frames = len(landmarks_TN3)
    angles_T3 = np.zeros((frames, 3)) if angles_T3 is None else angles_T3
    faces = FaceArrays(
        landmarks_TN3=landmarks_TN3.astype(np.float32),
        boxes_T4=extents(landmarks_TN3).astype(np.float32),
        head_pose_T3=angles_T3.astype(np.float32),
        blendshapes_TS=np.zeros((frames, 52), dtype=np.float32),
        measured_T=np.arange(frames) % 2 == 0,
    )
    in_source = landmarks_TN3[::2] * 2 + (CROP.left_px, CROP.top_px, 0)
    track = Track(
        times_s=np.arange(0, frames, 2) / FPS,
        landmarks_KN3=in_source.astype(np.float32),
        boxes_K4=extents(in_source).astype(np.float32),
        head_pose_K3=faces.head_pose_T3[::2],
        blendshapes_KS=faces.blendshapes_TS[::2],
        agreement_K=np.full(len(in_source), np.nan, dtype=np.float32),
    )
    return faces, track


def still_face() -> NDArray:
    return np.repeat(FACE_N3[None], FRAMES, axis=0)


def picture(blur_px: float = 0.0, gain: float = 1.0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(1).uniform(0, 255, size=(32, 32, 3)).astype(np.float32)
    made = cv2.resize(noise, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_NEAREST)
    made = cv2.GaussianBlur(made, (0, 0), blur_px) if blur_px else made
    return np.clip(made * gain, 0, 255).astype(np.uint8)


def scores_of(pictures: list[NDArray[np.uint8]], landmarks_TN3: NDArray | None = None) -> dict[str, float]:
    faces, track = clip(still_face() if landmarks_TN3 is None else landmarks_TN3)
    stills = [Still(8 * number, made) for number, made in enumerate(pictures)]
    return clip_scores(stills, faces, track, CROP, SIZE_PX, FPS)


def test_scores_of_a_still_face_in_a_still_picture() -> None:
    scores = scores_of([picture()] * 3)
    assert scores["duration_s"] == 1.0
    assert scores["measured"] == 0.52
    assert scores["seen"] == 1.0
    assert scores["face_px"] == pytest.approx(2 * np.ptp(FACE_N3[:, :2], axis=0).max(), rel=1e-3)
    for name in ("picture_change", "motion", "expression", "jitter", "border_overlap", "yaw_range_deg"):
        assert scores[name] == pytest.approx(0, abs=1e-4), name


def test_sharpness_falls_with_blur_and_does_not_depend_on_contrast() -> None:
    sharp, soft, softer = (scores_of([picture(blur_px=px)])["sharpness"] for px in (0.0, 2.0, 5.0))
    assert sharp > soft > softer
    assert scores_of([picture(gain=0.5)])["sharpness"] == pytest.approx(sharp, rel=0.05)


def test_luminance_and_contrast_are_the_face_s() -> None:
    grey = np.full((SIZE_PX, SIZE_PX, 3), 51, dtype=np.uint8)
    grey[:40] = 255  # far from the face
    scores = scores_of([grey])
    assert scores["luminance"] == pytest.approx(0.2)
    assert scores["contrast"] == 0
    full, half = scores_of([picture()]), scores_of([picture(gain=0.5)])
    assert half["luminance"] == pytest.approx(full["luminance"] / 2, rel=0.02)
    assert half["contrast"] == pytest.approx(full["contrast"] / 2, rel=0.02)


def test_picture_change_sees_what_moves_anywhere() -> None:
    assert scores_of([picture(), picture()[::-1].copy()])["picture_change"] > 0.05


@given(st.floats(0.5, 2), st.floats(-0.5, 0.5), st.floats(-30, 30))
def test_expression_is_what_a_similarity_cannot_explain(zoom: float, turn: float, shift_px: float) -> None:
    share_T = np.linspace(0, 1, FRAMES)
    plane_N = FACE_N3[:, 0] + 1j * FACE_N3[:, 1]
    moved_TN = (1 + (zoom - 1) * share_T[:, None]) * np.exp(1j * turn * share_T[:, None]) * plane_N
    moved_TN = moved_TN + shift_px * share_T[:, None]
    face_TN2 = np.stack([moved_TN.real, moved_TN.imag], axis=2)
    assert scoring.expression(face_TN2) < 1e-6
    face_TN2[:, :40] += 10 * np.sin(np.arange(FRAMES))[:, None, None]  # a mouth
    assert scoring.expression(face_TN2) > 0.003


def test_motion_is_a_share_of_the_face() -> None:
    moved = still_face()
    moved[..., 0] += 20 * np.sin(np.linspace(0, 4 * np.pi, FRAMES, endpoint=False))[:, None]
    expected = 20 / np.sqrt(2) / np.ptp(FACE_N3[:, :2], axis=0).max()
    assert scoring.motion(moved) == pytest.approx(expected, rel=1e-3)
    assert scoring.motion(moved * 3) == pytest.approx(expected, rel=1e-3)


def test_jitter_is_trembling_and_not_a_steady_move() -> None:
    steady = still_face() + np.arange(FRAMES)[:, None, None] * 3.0
    assert scoring.jitter(clip(steady)[1]) < 1e-5
    trembling = steady + np.where(np.arange(FRAMES) % 4 == 0, 5.0, -5.0)[:, None, None]
    assert scoring.jitter(clip(trembling)[1]) > 0.05


def test_a_face_at_the_border_is_measured_in_the_clip_and_in_the_source() -> None:
    assert scoring.outside(np.array([[0, 0, 10, 10], [-5, 0, 5, 10]]), 100, 100) == 0.25
    assert scoring.outside(np.array([[200, 0, 210, 10]]), 100, 100) == 1.0
    beyond = still_face()
    beyond[..., 0] += SIZE_PX - 128
    assert scores_of([picture()], beyond)["border_overlap"] > 0.4


def test_seen_counts_gaps_and_not_an_uneven_grid() -> None:
    assert scoring.seen(np.array([0, 0.08, 0.2, 0.28, 0.4, 0.48])) == 1.0
    assert scoring.seen(np.array([0, 0.1, 0.2, 0.7, 0.8, 0.9, 1.0])) == pytest.approx(0.5)
    assert scoring.seen(np.array([3.0])) == 1.0


def test_pose_is_unwrapped() -> None:
    scores = scoring.pose_scores("roll", np.array([179.0, -179.0, 179.0, -179.0]))
    assert scores["roll_range_deg"] == pytest.approx(2)
    assert scoring.pose_scores("yaw", np.linspace(-10, 30, 41))["yaw_mean_deg"] == pytest.approx(10)


def test_landmark_error_is_left_out_where_it_was_not_measured() -> None:
    assert "landmark_error" not in scores_of([picture()])
    track = clip(still_face())[1]
    errors_K = np.full(len(track.times_s), np.nan, dtype=np.float32)
    errors_K[:10] = [0.01] * 6 + [1.0] * 4
    assert scoring.landmark_error(replace(track, agreement_K=errors_K)) == pytest.approx(0.01)


@pytest.mark.parametrize("ink", [0, 255])
@pytest.mark.parametrize("size_px", [256, 512, 1024])
def test_lines_of_text_are_found_and_shapes_are_not(ink: int, size_px: int) -> None:
    luma = np.full((512, 512), 120, dtype=np.uint8)
    cv2.circle(luma, (256, 220), 120, 180, -1)
    cv2.rectangle(luma, (40, 40), (120, 460), 60, -1)
    no_face = np.zeros((size_px, size_px), dtype=np.bool_)
    assert text_share(cv2.resize(luma, (size_px, size_px)), no_face) == 0
    cv2.putText(luma, "What they said today", (60, 480), cv2.FONT_HERSHEY_DUPLEX, 1.0, ink, 2, cv2.LINE_AA)
    written = cv2.resize(luma, (size_px, size_px), interpolation=cv2.INTER_AREA)
    assert 0.02 < text_share(written, no_face) < 0.08
    assert text_share(written, ~no_face) == 0, "in the face nothing is looked for"
