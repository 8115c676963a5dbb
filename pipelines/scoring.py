"""What is measured of every clip, for the quality stage and the index. No decoding, no model: numpy and OpenCV.

Shapes: K samples of a track, T frames of the clip, N landmarks, S blendshapes, H W pixels, C = 3 RGB.
Coordinates in pixels, x right, y down.

Each score, with its definition, is one function below or one line of `clip_scores`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from liax.crop import extents
from liax.sample import CropInfo, FaceArrays
from pipelines.stills import Still, spread
from pipelines.text_overlay import text_share
from pipelines.tracking import Track

MOST_SCORED = 12
"""Stills that are looked at in a clip. Our choice: a clip is one shot of at most some 20 s, in which
light and focus change slowly, and the cost of scoring is then bounded."""

BLUR_PX = 15
"""Width of the second blur in `sharpness`. The paper's 9 tells blurs of 3 and of 8 px (standard deviation) no longer
apart, which small faces that were much enlarged have."""

CHANGE_SIDE_PX = 64
"""Pictures are reduced to this for `picture_change`, so that noise and the codec's blocks average out."""


def clip_scores(
    stills: Sequence[Still], faces: FaceArrays, track: Track, crop: CropInfo, size_px: int, fps: float
) -> dict[str, float]:
    """All scores of a clip, each rounded to four digits.

    Args:
        stills: frames of the clip, in order; at least one.
        faces: for every frame, in pixels of the clip.
        track: the samples that `faces` was made from, in pixels of the source.
        crop: what was cut.
        size_px: width and height of the clip.
        fps: its frame rate.

    Returns:
        By name:
        `face_px`: longer side of the landmarks' box in the source, median over the samples.
        `duration_s`: of the clip. `measured`: share of its frames whose face was searched for, not interpolated.
        `seen`, `landmark_error` (left out where it was not measured), `border_overlap`, `jitter`, `motion`,
        `expression`, `sharpness`, `luminance`, `contrast`, `picture_change`, `text`: see the functions of this file.
        `yaw_mean_deg`, `yaw_range_deg`, `yaw_most_deg` and the same for pitch and roll: mean; 5th to 95th percentile;
        95th percentile of the absolute value.
    """
    looked_at = [stills[index] for index in spread(len(stills), MOST_SCORED)]
    lumas = [_luma(still.picture_HWC) for still in looked_at]
    hulls = [_face_mask(still, faces) for still in looked_at]
    pairs = list(zip(lumas, hulls, strict=True))
    scores = {
        "face_px": track.face_px,
        "duration_s": len(faces.measured_T) / fps,
        "measured": float(faces.measured_T.mean()),
        "seen": seen(track.times_s),
        "border_overlap": max(
            outside(faces.boxes_T4, size_px, size_px),
            outside(track.boxes_K4, crop.source_width_px, crop.source_height_px),
        ),
        "jitter": jitter(track),
        "motion": motion(faces.landmarks_TN3),
        "expression": expression(faces.landmarks_TN3),
        "sharpness": float(np.median([sharpness(_face_part(luma, hull)) for luma, hull in pairs])),
        "luminance": float(np.median([luma[hull].mean() / 255 for luma, hull in pairs])),
        "contrast": float(np.median([luma[hull].std() / 255 for luma, hull in pairs])),
        "picture_change": picture_change(lumas),
        "text": float(np.mean([text_share(luma, hull) for luma, hull in pairs])),
    }
    for name, angles_T in zip(("yaw", "pitch", "roll"), faces.head_pose_T3.T.astype(np.float64), strict=True):
        scores |= pose_scores(name, angles_T)
    error = landmark_error(track)
    if error is not None:
        scores["landmark_error"] = error
    return {name: float(f"{value:.4g}") for name, value in scores.items()}


def seen(times_s: NDArray[np.float64]) -> float:
    """Share of the track's time, from its first to its last sample, in which the face was found, 0 to 1.

    Our choice: what counts as lost are steps of more than 2.25 times the median step. Up to twice it may be due to
    frames that do not fall on the sampling's grid.
    """
    steps_s = np.diff(times_s)
    if not steps_s.size:
        return 1.0
    return 1.0 - float(steps_s[steps_s > 2.25 * np.median(steps_s)].sum() / steps_s.sum())


def landmark_error(track: Track) -> float | None:
    """How far two searches for the same landmarks are apart, as a share of the face's side; None if never measured.

    The median over the samples that were searched twice: one failed second search, which counts as 1, does not condemn
    a clip. Our choice for occlusion: the face landmarker gives no confidence for its landmarks, but what it cannot see
    it guesses, and it often guesses otherwise in another crop of the same face. Faces in full view have 0.002 to 0.006.

    What it does not notice: a cover that both searches guess alike, such as an even patch over mouth and nose, which
    gave 0.005 where the same face in full view gave 0.002; and, in the median, a face that is hidden for less than half
    of the comparisons.
    """
    measured = track.agreement_K[np.isfinite(track.agreement_K)]
    return float(np.median(measured)) if measured.size else None


def outside(boxes_4: NDArray[np.floating], width_px: int, height_px: int) -> float:
    """Share of the landmarks' boxes (…×4) outside a picture by area, 0 to 1, in the mean over the boxes."""
    boxes_B4 = np.asarray(boxes_4, dtype=np.float64).reshape(-1, 4)
    limits_4 = np.array([width_px, height_px, width_px, height_px], dtype=np.float64)
    inner_B4 = np.clip(boxes_B4, 0.0, limits_4)

    def areas(any_B4: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.prod(any_B4[:, 2:] - any_B4[:, :2], axis=1))

    return float(np.mean(1 - areas(inner_B4) / np.maximum(areas(boxes_B4), 1e-9)))


def pose_scores(name: str, angles_T: NDArray[np.float64]) -> dict[str, float]:
    """Mean, range (5th to 95th percentile) and most (95th percentile of the absolute value) of an angle, in degrees.

    An angle that passes ±180° is unwrapped first.
    """
    turned_T = np.degrees(np.unwrap(np.radians(angles_T)))
    low, high = np.percentile(turned_T, (5, 95))
    return {
        f"{name}_mean_deg": float(turned_T.mean()),
        f"{name}_range_deg": float(high - low),
        f"{name}_most_deg": float(np.percentile(np.abs(turned_T), 95)),
    }


def motion(landmarks_TN3: NDArray[np.floating]) -> float:
    """How much the face moves in the picture, as a share of its side.

    The landmarks' distance from their mean place, as root mean square over frames and landmarks. Unlike a mean speed it
    does not take the landmarks' noise for motion. Our choice.
    """
    points_TN2 = np.asarray(landmarks_TN3[..., :2], dtype=np.float64)
    return _rms(points_TN2 - points_TN2.mean(axis=0)) / _side_px(points_TN2)


def expression(landmarks_TN3: NDArray[np.floating]) -> float:
    """What is left of `motion` when the head's own movement in the picture is taken out of every frame.

    Taken out is the similarity (shift, turn, scale) that brings the frame's landmarks nearest to the mean face; least
    squares in closed form: Umeyama, IEEE PAMI 13(4), 1991, written in complex numbers.
    """
    points_TN2 = np.asarray(landmarks_TN3[..., :2], dtype=np.float64)
    plane_TN = points_TN2[..., 0] + 1j * points_TN2[..., 1]
    plane_TN = plane_TN - plane_TN.mean(axis=1, keepdims=True)
    mean_N = plane_TN.mean(axis=0)
    for _ in range(2):  # the mean of turned faces is too small; once more with the faces laid on it
        turn_T = (plane_TN.conj() @ mean_N) / np.maximum((np.abs(plane_TN) ** 2).sum(axis=1), 1e-9)
        laid_TN = plane_TN * turn_T[:, None]
        mean_N = laid_TN.mean(axis=0)
    rest_TN = laid_TN - mean_N
    extent = max(np.ptp(mean_N.real), np.ptp(mean_N.imag), 1e-9)
    return float(np.sqrt(np.mean(np.abs(rest_TN) ** 2)) / extent)


def jitter(track: Track) -> float:
    """Trembling: how far a sample's landmarks are from the straight line between the samples before and after it.

    The root mean square over landmarks as a share of the face's side; the 20th percentile over samples, because
    gestures come and go, and noise of the landmarks or a shaking camera stays. Our choice. It grows with the time
    between samples: compare it only among clips of one `faces.rate_fps`.
    """
    times_K = track.times_s
    if len(times_K) < 3:
        return 0.0
    points_KN2 = np.asarray(track.landmarks_KN3[..., :2], dtype=np.float64)
    share_K = ((times_K[1:-1] - times_K[:-2]) / np.maximum(times_K[2:] - times_K[:-2], 1e-9))[:, None, None]
    off_KN2 = points_KN2[1:-1] - (points_KN2[:-2] * (1 - share_K) + points_KN2[2:] * share_K)
    distance_K = np.sqrt((off_KN2**2).sum(axis=2).mean(axis=1))
    return float(np.percentile(distance_K, 20)) / _side_px(points_KN2)


def sharpness(luma_HW: NDArray[np.uint8]) -> float:
    """One minus the blur effect of Crete et al. ("The blur effect: perception and estimation with a new no-reference
    perceptual blur metric", Proc. SPIE 6492, 2007): 0 a blur, 1 all detail, whatever the contrast.

    A picture is blurred once more; a sharp one loses much of its variation between neighbouring pixels, a blurred one
    little. The worse of both directions counts.
    """
    import cv2

    grey = np.asarray(luma_HW, dtype=np.float32)
    if min(grey.shape) < 3:
        return 0.0
    found = []
    for axis, kernel in ((0, (1, BLUR_PX)), (1, (BLUR_PX, 1))):
        variation = np.abs(np.diff(grey, axis=axis))
        left_over = np.abs(np.diff(np.asarray(cv2.blur(grey, kernel)), axis=axis))
        total = float(variation.sum())
        found.append(float(np.maximum(variation - left_over, 0).sum()) / total if total > 0 else 0.0)
    return min(found)


def picture_change(lumas: Sequence[NDArray[np.uint8]]) -> float:
    """How much the picture changes over the clip: each pixel's standard deviation over the stills, 0 to 1, in the mean
    over the pixels of the reduced pictures. A photograph has almost none."""
    import cv2

    side = (CHANGE_SIDE_PX, CHANGE_SIDE_PX)
    small_BHW = np.stack([cv2.resize(luma, side, interpolation=cv2.INTER_AREA) for luma in lumas])
    return float(small_BHW.std(axis=0).mean() / 255)


def _luma(picture_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of ITU-R BT.601, as in every grey picture of OpenCV."""
    import cv2

    return np.asarray(cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def _face_mask(still: Still, faces: FaceArrays) -> NDArray[np.bool_]:
    """The face in a still: the convex hull of its landmarks; the whole picture where none of it is in the picture."""
    import cv2

    points_N2 = np.round(faces.landmarks_TN3[min(still.frame, len(faces.landmarks_TN3) - 1), :, :2]).astype(np.int32)
    mask_HW = np.zeros(still.picture_HWC.shape[:2], dtype=np.uint8)
    cv2.fillConvexPoly(mask_HW, cv2.convexHull(points_N2), 1)
    inside_HW = mask_HW.astype(np.bool_)
    return inside_HW if inside_HW.any() else ~inside_HW


def _face_part(luma_HW: NDArray[np.uint8], hull_HW: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The box round the face."""
    rows, columns = np.flatnonzero(hull_HW.any(axis=1)), np.flatnonzero(hull_HW.any(axis=0))
    return luma_HW[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _side_px(points_TN2: NDArray[np.float64]) -> float:
    boxes_T4 = extents(points_TN2)
    return max(float(np.median((boxes_T4[:, 2:] - boxes_T4[:, :2]).max(axis=1))), 1e-9)


def _rms(offsets_TN2: NDArray[np.float64]) -> float:
    return float(np.sqrt((offsets_TN2**2).sum(axis=-1).mean()))
