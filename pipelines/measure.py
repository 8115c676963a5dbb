"""From a track's samples to values for every frame of a clip, in pixels of the clip.

Shapes: K samples of the track, T frames of the clip, N landmarks, S blendshapes.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from liax.crop import Square, extents, to_square
from liax.sample import FaceArrays
from pipelines.align import Aligned
from pipelines.tracking import Track

SAME_MOMENT_S = 1e-3
"""Time stamps are rounded to the container's clock, often to milliseconds."""


def face_arrays(track: Track, shown_T: NDArray[np.float64], square: Square, size_px: int) -> FaceArrays:
    """What the face does in every frame of a clip.

    Args:
        track: in pixels of the source.
        shown_T: which moment of the source each frame of the clip shows, in seconds. The values are those of that
            moment and not of the frame's place at the clip's rate, so that they fit the picture.
        square: where the clip was cut from the source.
        size_px: width and height of the clip.

    Returns:
        Values of the samples themselves where a frame shows a sampled moment, linear between them elsewhere.
    """
    faces = source_arrays(track, shown_T)
    return _moved(faces, to_square(faces.landmarks_TN3, square, size_px), square.turn_deg)


def aligned_arrays(faces: FaceArrays, aligned: Aligned, size_px: int) -> FaceArrays:
    """The values in pixels of frames that were aligned each by itself.

    Args:
        faces: of `source_arrays`.
        aligned: the frames' squares.
        size_px: width and height of the clip.
    """
    return _moved(faces, aligned.landmarks(faces.landmarks_TN3, size_px), aligned.turns_deg_T)


def source_arrays(track: Track, shown_T: NDArray[np.float64]) -> FaceArrays:
    """As `face_arrays`, in pixels of the source."""
    turns_K3 = np.unwrap(track.head_pose_K3.astype(np.float64), axis=0, period=360.0)
    landmarks_TN3 = between_samples(track.times_s, track.landmarks_KN3, shown_T)
    nearest_K = _nearest(track.times_s, shown_T)
    return FaceArrays(
        landmarks_TN3=landmarks_TN3.astype(np.float32),
        boxes_T4=extents(landmarks_TN3).astype(np.float32),
        head_pose_T3=_half_turn(between_samples(track.times_s, turns_K3, shown_T)),
        blendshapes_TS=between_samples(track.times_s, track.blendshapes_KS, shown_T).astype(np.float32),
        measured_T=np.abs(track.times_s[nearest_K] - shown_T) < SAME_MOMENT_S,
    )


def mean_roll_deg(track: Track) -> float:
    """The mean of the head's roll over the track's samples, as a direction: 179° and -179° give 180°."""
    angles_K = np.radians(track.head_pose_K3[:, 2].astype(np.float64))
    return float(np.degrees(np.arctan2(np.sin(angles_K).mean(), np.cos(angles_K).mean())))


def between_samples(times_K: NDArray, values_K: NDArray, wanted_T: NDArray) -> NDArray[np.float64]:
    """Linear interpolation along the first axis; before the first and after the last sample that sample holds."""
    after_T = np.clip(np.searchsorted(times_K, wanted_T), 1, max(1, len(times_K) - 1))
    before_T = after_T - 1
    after_T = np.minimum(after_T, len(times_K) - 1)
    span_T = np.maximum(times_K[after_T] - times_K[before_T], 1e-9)
    share_T = np.clip((wanted_T - times_K[before_T]) / span_T, 0.0, 1.0)
    share_T = share_T.reshape(-1, *[1] * (values_K.ndim - 1))
    return values_K[before_T] * (1 - share_T) + values_K[after_T] * share_T


def _moved(faces: FaceArrays, landmarks_TN3: NDArray[np.float32], turn_deg: float | NDArray[np.float64]) -> FaceArrays:
    """The same face where its picture was turned counter-clockwise: what it lacks then is roll."""
    head_pose_T3 = faces.head_pose_T3.astype(np.float64)
    head_pose_T3[:, 2] -= turn_deg
    return replace(
        faces,
        landmarks_TN3=landmarks_TN3,
        boxes_T4=extents(landmarks_TN3).astype(np.float32),
        head_pose_T3=_half_turn(head_pose_T3),
    )


def _half_turn(angles_deg: NDArray[np.float64]) -> NDArray[np.float32]:
    """Angles from -180 to 180 degrees."""
    return ((angles_deg + 180.0) % 360.0 - 180.0).astype(np.float32)


def _nearest(times_K: NDArray, wanted_T: NDArray) -> NDArray[np.intp]:
    after_T = np.clip(np.searchsorted(times_K, wanted_T), 0, len(times_K) - 1)
    before_T = np.maximum(after_T - 1, 0)
    nearer_before_T = np.abs(times_K[before_T] - wanted_T) < np.abs(times_K[after_T] - wanted_T)
    return np.where(nearer_before_T, before_T, after_T)
