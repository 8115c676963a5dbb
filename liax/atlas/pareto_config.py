"""What a comparison of several trainings can be told."""

from typing import Literal, Self

from pydantic import Field, model_validator

from liax.config import Config
from liax.evaluation.data_config import DataConfig

SparsityMeasure = Literal["hoyer", "hoyer_normalised", "gini", "gini_normalised"]


class FinderConfig(Config):
    """Local path of the only weights that a comparison uses beside the runs' own, at the same place on every
    machine."""

    face_landmarker: str | None = None
    """MediaPipe's face landmarker; null looks for it in the usual places."""


class ParetoConfig(DataConfig):
    """Trainings of other sparsity weights and dictionary sizes, on one set of people."""

    runs: list[str] = Field(min_length=2)
    """Models, each as `liax evaluate` takes it: a training's output, a checkpoint, a folder with a model, a released
    file, or `models:/NAME@ALIAS`. Only of trainings and checkpoints the sparsity weight is known."""
    output: str
    """Folder or `s3://` prefix for the results. The same command again continues where it stopped, and measures runs
    that were added."""
    frames_per_clip: int = Field(default=24, ge=2)
    """At most so many frames of each clip, evenly spread, beside the first. Our choice: neighbours say the same."""
    sparsity: SparsityMeasure = "hoyer_normalised"
    """What the plot calls sparse, and by what the Pareto front is found. Our choice: raw codes look sparse where some
    directions are small for all pictures (see `liax.evaluation.codes`)."""
    networks: FinderConfig = FinderConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        twice = sorted({run for run in self.runs if self.runs.count(run) > 1})
        if twice:
            raise ValueError(f"runs names {twice[0]} twice")
        return self
