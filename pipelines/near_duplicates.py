"""Near duplicates: clips of different sources that show the same recording, re-encoded, scaled, trimmed or recoloured.

Two videos of one speaker in one studio look alike in every picture, so pictures only propose a pair; what decides is
the motion, which no speaker repeats.

Shapes: T frames of a clip, F features of the motion, E hashes of one clip, O of another.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from liax.face import BLENDSHAPES
from liax.sample import FaceArrays, SampleInfo
from pipelines.signatures import ClipSignature

MOST_HASH_BITS = 16
"""Of 64. Two clips are compared when their most similar key frames differ in no more bits."""
LEAST_OVERLAP_S = 1.0
LEAST_OVERLAP_SHARE = 0.4
"""The two clips must have at least so much in common, as a time and as a share of the shorter one."""
LEAST_AGREEMENT = 0.8
"""Correlation of the two motions, from which they are one (see `motion_agreement`). Our choice: re-encoded, scaled,
trimmed, recoloured and re-timed copies of six videos gave 0.86 and more, different videos at most 0.66."""
NOISE = 1.0
"""A face that moves less than this, in the units of `motion_features`, gives nothing to recognise it by."""
POSE_UNIT_DEG, SHAPE_UNIT = 1.0, 0.1
"""What counts as equally much movement. The other blendshapes were tried: in copies they are mostly noise."""
SHAPES = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen")


def near_duplicates(
    clips: Sequence[SampleInfo],
    signatures: Mapping[str, ClipSignature],
    identities: Mapping[str, str],
    motion_of: Callable[[str], FaceArrays],
) -> dict[str, str]:
    """The clips to set aside, each with the clip that is kept in its place.

    Of clips that show the same recording, the one with the largest face is kept (in steps of a quarter, so that a
    pixel does not decide), then the longest, then the first by key. Only clips of one identity and of different
    sources are compared.

    Args:
        clips: all that could be kept.
        signatures: their hashes, by key.
        identities: the person in each, by key.
        motion_of: reads what was measured of the face in a clip; asked only for pairs whose pictures look alike.

    Returns:
        Rejected key → kept key.
    """
    people: dict[str, list[SampleInfo]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: (-_size_step(clip), -clip.frames, clip.key)):
        people[identities[clip.key]].append(clip)
    features = lru_cache(maxsize=256)(lambda key: motion_features(motion_of(key)))
    rejected: dict[str, str] = {}
    for identity in sorted(people):
        kept: list[SampleInfo] = []
        hashes = {clip.key: signatures[clip.key].hash_values for clip in people[identity]}
        for clip in people[identity]:
            others = [other for other in kept if other.source_sha256 != clip.source_sha256]
            same = next(
                (
                    other.key
                    for other in _alike(clip, others, hashes)
                    if motion_agreement(features(clip.key), features(other.key), clip.fps) >= LEAST_AGREEMENT
                ),
                None,
            )
            if same is None:
                kept.append(clip)
            else:
                rejected[clip.key] = same
    return rejected


def _size_step(clip: SampleInfo) -> int:
    """The size of the face in the source, in steps of a quarter."""
    return round(math.log(max(clip.scores["face_px"], 1.0), 1.25))


def _alike(
    clip: SampleInfo, others: Sequence[SampleInfo], hashes: Mapping[str, NDArray[np.uint64]]
) -> list[SampleInfo]:
    """Those of the other clips in which a key frame looks like one of this clip's, the most similar first."""
    hashes_E = hashes[clip.key]
    theirs = [hashes[other.key] for other in others]
    if not theirs or not len(hashes_E):
        return []
    bits_O = np.full(sum(map(len, theirs)), 64, dtype=np.int64)
    joined_O = np.concatenate(theirs)
    for value in hashes_E:
        bits_O = np.minimum(bits_O, np.bitwise_count(joined_O ^ value))
    ends = np.cumsum([len(part) for part in theirs])
    bits = [int(part.min(initial=64)) for part in np.split(bits_O, ends[:-1])]
    near = [index for index in range(len(others)) if bits[index] <= MOST_HASH_BITS]
    return [others[index] for index in sorted(near, key=lambda index: (bits[index], index))]


def motion_features(faces: FaceArrays) -> NDArray[np.float64]:
    """How the face moves, T×F: head pose, eyelids and jaw, in comparable units.

    Neither depends on where and how large the face is in the picture.
    """
    turns_T3 = np.unwrap(faces.head_pose_T3.astype(np.float64), axis=0, period=360.0)
    columns = [BLENDSHAPES.index(name) for name in SHAPES]
    return np.concatenate([turns_T3 / POSE_UNIT_DEG, faces.blendshapes_TS[:, columns] / SHAPE_UNIT], axis=1)


def motion_agreement(one_TF: NDArray[np.float64], other_TF: NDArray[np.float64], fps: float) -> float:
    """How well two motions agree at the lag at which they agree best: -1 to 1.

    At every lag with enough in common, the correlation of all features together, each less its mean over the common
    part (a crop's place adds a constant to the pose). It is taken against the larger of the two variances, so that a
    still face does not agree with a moving one. Our choice of measure.
    """
    shorter = min(len(one_TF), len(other_TF))
    least = max(2, round(min(LEAST_OVERLAP_S * fps, shorter)), round(LEAST_OVERLAP_SHARE * shorter))
    best = -1.0
    for lag in range(least - len(other_TF), len(one_TF) - least + 1):
        start, end = max(0, lag), min(len(one_TF), lag + len(other_TF))
        first_TF, second_TF = one_TF[start:end], other_TF[start - lag : end - lag]
        first_TF, second_TF = first_TF - first_TF.mean(axis=0), second_TF - second_TF.mean(axis=0)
        energy = max(float(np.vdot(first_TF, first_TF)), float(np.vdot(second_TF, second_TF)))
        if energy >= NOISE**2 * len(first_TF):
            best = max(best, float(np.vdot(first_TF, second_TF)) / energy)
    return best
