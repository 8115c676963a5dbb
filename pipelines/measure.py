"""From a track's samples to values for every frame of a clip, in pixels of the clip.

Shapes: K samples of the track, T frames of the clip, N landmarks, S blendshapes.
"""

import numpy as np
from numpy.typing import NDArray

from liax.crop import Square, extents, to_square
from liax.sample import FaceArrays
from pipelines.tracking import Track

SAME_MOMENT_S = 1e-4


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
    landmarks_TN3 = to_square(between_samples(track.times_s, track.landmarks_KN3, shown_T), square, size_px)
    turns_K3 = np.unwrap(track.head_pose_K3.astype(np.float64), axis=0, period=360.0)
    head_pose_T3 = (between_samples(track.times_s, turns_K3, shown_T) + 180.0) % 360.0 - 180.0
    nearest_K = _nearest(track.times_s, shown_T)
    return FaceArrays(
        landmarks_TN3=landmarks_TN3,
        boxes_T4=extents(landmarks_TN3).astype(np.float32),
        head_pose_T3=head_pose_T3.astype(np.float32),
        blendshapes_TS=between_samples(track.times_s, track.blendshapes_KS, shown_T).astype(np.float32),
        measured_T=np.abs(track.times_s[nearest_K] - shown_T) < SAME_MOMENT_S,
    )


def between_samples(times_K: NDArray, values_K: NDArray, wanted_T: NDArray) -> NDArray[np.float64]:
    """Linear interpolation along the first axis; before the first and after the last sample that sample holds."""
    after_T = np.clip(np.searchsorted(times_K, wanted_T), 1, max(1, len(times_K) - 1))
    before_T = after_T - 1
    after_T = np.minimum(after_T, len(times_K) - 1)
    span_T = np.maximum(times_K[after_T] - times_K[before_T], 1e-9)
    share_T = np.clip((wanted_T - times_K[before_T]) / span_T, 0.0, 1.0)
    share_T = share_T.reshape(-1, *[1] * (values_K.ndim - 1))
    return values_K[before_T] * (1 - share_T) + values_K[after_T] * share_T


def _nearest(times_K: NDArray, wanted_T: NDArray) -> NDArray[np.intp]:
    after_T = np.clip(np.searchsorted(times_K, wanted_T), 0, len(times_K) - 1)
    before_T = np.maximum(after_T - 1, 0)
    nearer_before_T = np.abs(times_K[before_T] - wanted_T) < np.abs(times_K[after_T] - wanted_T)
    return np.where(nearer_before_T, before_T, after_T)
