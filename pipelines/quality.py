"""Stage 6, quality: which clips are good enough, by their scores alone (no pictures, no decoding).

Each threshold holds one score of `pipelines.scoring`, where it is defined. The verdict is a function of the scores, so
thresholds can be changed afterwards over the index of a finished shard set (see `pipelines.filtering`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from liax.config import Config


class QualityConfig(Config):
    """Which clips are left out for their scores. null turns a threshold off."""

    score_only: bool = False
    """Leave no clip out: the scores are in the index, and `liax filter` can apply thresholds later."""
    least_face_px: float | None = Field(default=None, ge=0)
    """Size of the face in the source. Tracks below faces.least_face_px give no clip at all."""
    least_duration_s: float | None = Field(default=None, ge=0)
    """Length of the clip. Tracks below clip.least_s give no clip at all."""
    least_sharpness: float | None = Field(default=0.3, ge=0, le=1)
    """Of the face in the clip's picture: 0 is a blur, 1 is all detail. Good clips have 0.4 to 0.7; a blur of 3 px
    (standard deviation) at 512 px brings them to about 0.3."""
    least_luminance: float | None = Field(default=0.08, ge=0, le=1)
    """Mean brightness of the face, 0 black to 1 white."""
    most_luminance: float | None = Field(default=0.92, ge=0, le=1)
    """The same, for faces that are burnt out."""
    least_contrast: float | None = Field(default=0.03, ge=0, le=1)
    """Spread of the brightness within the face."""
    most_yaw_deg: float | None = Field(default=70.0, ge=0, le=180)
    """How far the head may be turned to a side, forgetting the most extreme twentieth of the frames."""
    most_pitch_deg: float | None = Field(default=50.0, ge=0, le=90)
    """The same up or down."""
    most_roll_deg: float | None = Field(default=50.0, ge=0, le=180)
    """The same tilted."""
    most_border_overlap: float | None = Field(default=0.1, ge=0, le=1)
    """Share of the face's box that lies outside the clip or outside the source picture."""
    least_seen: float | None = Field(default=0.7, ge=0, le=1)
    """Share of the time in which the face was found where it was looked for."""
    most_landmark_error: float | None = Field(default=0.05, ge=0)
    """By how much two searches for the same landmarks disagree, as a share of the face's size. Faces in full view have
    less than 0.01. Holds where it was measured. It leaves out landmarks that the search is lost with; a face of
    which only mouth and nose are covered is guessed alike twice (0.005), and stays."""
    most_jitter: float | None = Field(default=0.15, ge=0)
    """Trembling of the landmarks, as a share of the face's size. It grows with the time between samples."""
    least_motion: float | None = Field(default=None, ge=0)
    """How much the head and the face move, as a share of the face's size. Still faces have less than 0.003."""
    least_expression: float | None = Field(default=None, ge=0)
    """The same without the head's movement: a photograph that is panned and zoomed has less than 0.002."""
    least_picture_change: float | None = Field(default=None, ge=0, le=1)
    """How much the picture changes over the clip; a photograph has less than 0.003. Off by default: a still portrait
    beside its animation is a face of the video, too, and does training no harm."""
    most_text: float | None = Field(default=0.02, ge=0, le=1)
    """Share of the picture under lines of text, such as subtitles."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if None not in (self.least_luminance, self.most_luminance) and self.least_luminance > self.most_luminance:  # type: ignore[operator]
            raise ValueError(
                f"least_luminance {self.least_luminance} is above most_luminance {self.most_luminance}: "
                "no clip can be between them"
            )
        return self


@dataclass(frozen=True, slots=True)
class Rule:
    """A threshold: the setting that holds it, the score that it is for, and the reason of a clip beyond it."""

    setting: str
    score: str
    reason: str

    def broken(self, value: float, limit: float) -> bool:
        """Whether a score is beyond the limit: below a `least_`, above a `most_`."""
        return value < limit if self.setting.startswith("least_") else value > limit


RULES: tuple[Rule, ...] = (
    Rule("least_face_px", "face_px", "face_too_small"),
    Rule("least_duration_s", "duration_s", "too_short"),
    Rule("most_border_overlap", "border_overlap", "face_over_the_border"),
    Rule("least_picture_change", "picture_change", "static_picture"),
    Rule("least_seen", "seen", "face_often_lost"),
    Rule("most_landmark_error", "landmark_error", "landmarks_uncertain"),
    Rule("most_yaw_deg", "yaw_most_deg", "turned_away"),
    Rule("most_pitch_deg", "pitch_most_deg", "looks_up_or_down"),
    Rule("most_roll_deg", "roll_most_deg", "tilted"),
    Rule("least_luminance", "luminance", "too_dark"),
    Rule("most_luminance", "luminance", "too_bright"),
    Rule("least_contrast", "contrast", "no_contrast"),
    Rule("least_sharpness", "sharpness", "blurred"),
    Rule("most_jitter", "jitter", "jittery"),
    Rule("least_motion", "motion", "hardly_moves"),
    Rule("least_expression", "expression", "still_face"),
    Rule("most_text", "text", "text_overlay"),
)
"""In the order in which they are asked: a clip's reason is the first one that it breaks."""


def verdict(scores: Mapping[str, float], config: QualityConfig) -> tuple[str, str] | None:
    """Why a clip is left out, or None for one that is kept.

    Args:
        scores: of `pipelines.scoring.clip_scores`. A score that was not measured breaks no rule.
        config: the thresholds.

    Returns:
        The reason's short name, which is counted, and the numbers behind it.
    """
    if config.score_only:
        return None
    for rule in RULES:
        limit, value = getattr(config, rule.setting), scores.get(rule.score)
        if limit is not None and value is not None and rule.broken(value, limit):
            word = rule.setting.partition("_")[0]
            return rule.reason, f"{rule.score} {value:.4g}; the {word} is {limit:.4g}"
    return None
