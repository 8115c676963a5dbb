"""How the clips' scores are spread: histograms with their thresholds, and the map of head poses."""

from collections.abc import Iterable, Sequence

import numpy as np

from liax.config import Config
from liax.sample import SampleInfo
from pipelines.quality import RULES, QualityConfig

BINS = 24
YAW_DEG, PITCH_DEG, POSE_BIN_DEG = 90, 60, 10
"""The map's edges, left and right, up and down; what lies beyond counts at the edge."""


class Histogram(Config):
    """One score of every clip that was made, in bins of equal width."""

    least: float
    """The first bin's lower edge: the least value or limit."""
    most: float
    """The last bin's upper edge: the greatest value or limit."""
    kept: list[int]
    """Clips that were kept, by bin."""
    left_out: list[int]
    """Clips that were made and then left out, for this score or for something else, by bin."""
    median: float
    """Of the clips that were kept; of all if none was."""
    limits: dict[str, float]
    """The thresholds on this score that were set, by the name of their setting."""


class PoseMap(Config):
    """Where the heads look, by the mean over each clip."""

    yaw_edges_deg: list[int]
    pitch_edges_deg: list[int]
    """Ascending; one more than there are bins."""
    seconds: list[list[float]]
    """Length of the kept clips: a row for each bin of pitch, from looking down to looking up, with a column for each
    bin of yaw."""


def histograms(
    kept: Sequence[SampleInfo], left_out: Sequence[SampleInfo], quality: QualityConfig
) -> dict[str, Histogram]:
    """A histogram of every score that some clip has, by the score's name."""
    names = sorted({name for clip in (*kept, *left_out) for name in clip.scores})
    return {name: _histogram(name, kept, left_out, quality) for name in names}


def _histogram(
    name: str, kept: Sequence[SampleInfo], left_out: Sequence[SampleInfo], quality: QualityConfig
) -> Histogram:
    values, other = (np.array(list(_values(name, clips)), dtype=np.float64) for clips in (kept, left_out))
    limits = {rule.setting: getattr(quality, rule.setting) for rule in RULES if rule.score == name}
    limits = {setting: limit for setting, limit in limits.items() if limit is not None and not quality.score_only}
    both = np.concatenate([values, other])
    span = np.concatenate([both, list(limits.values())])
    least, most = float(span.min()), float(span.max())
    if least == most:  # numpy would give the only value a bin one unit wide
        most = least + max(abs(least), 1.0) * 0.01
    return Histogram(
        least=least,
        most=most,
        kept=np.histogram(values, BINS, (least, most))[0].tolist(),
        left_out=np.histogram(other, BINS, (least, most))[0].tolist(),
        median=float(np.median(values if values.size else both)),
        limits=limits,
    )


def _values(name: str, clips: Iterable[SampleInfo]) -> Iterable[float]:
    """A score of the clips that have it. One that could not be measured is absent, or no number."""
    return (clip.scores[name] for clip in clips if np.isfinite(clip.scores.get(name, np.nan)))


def pose_map(clips: Sequence[SampleInfo]) -> PoseMap:
    """The map of the clips whose pose is known."""
    yaw_edges_deg = np.arange(-YAW_DEG, YAW_DEG + 1, POSE_BIN_DEG)
    pitch_edges_deg = np.arange(-PITCH_DEG, PITCH_DEG + 1, POSE_BIN_DEG)
    rows = [
        (clip.scores["pitch_mean_deg"], clip.scores["yaw_mean_deg"], clip.frames / clip.fps)
        for clip in clips
        if {"pitch_mean_deg", "yaw_mean_deg"} <= clip.scores.keys()
    ]
    pitch_C, yaw_C, seconds_C = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    inside = 1e-6  # numpy counts the upper edge of the last bin alone as inside
    map_YX, _, _ = np.histogram2d(
        np.clip(pitch_C, -PITCH_DEG, PITCH_DEG - inside),
        np.clip(yaw_C, -YAW_DEG, YAW_DEG - inside),
        bins=[pitch_edges_deg, yaw_edges_deg],
        weights=seconds_C,
    )
    return PoseMap(
        yaw_edges_deg=yaw_edges_deg.tolist(),
        pitch_edges_deg=pitch_edges_deg.tolist(),
        seconds=np.round(map_YX, 3).tolist(),
    )
