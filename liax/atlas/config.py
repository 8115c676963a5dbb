"""What an atlas can be told."""

from typing import Self

from pydantic import Field, model_validator

from liax.config import Config
from liax.evaluation.config import NetworksConfig
from liax.evaluation.data_config import DataConfig, FaceNetworksConfig

LEAST_IDENTITIES = 4
"""Two people to fit on and two to certify on: fewer say nothing of others."""


class AtlasNetworksConfig(FaceNetworksConfig):
    """The weights that an atlas can use."""

    landmarks68: str | None = None
    """For the second observer: dlib's shape_predictor_68_face_landmarks.dat; null looks for it in the usual places.
    Its licence excludes commercial use."""

    def of_evaluation(self) -> NetworksConfig:
        """Those that an evaluation knows, too."""
        return NetworksConfig.model_validate(self.model_dump(exclude={"landmarks68"}))


class StripsConfig(Config):
    """The pictures of the page."""

    people: int = Field(default=3, ge=1)
    """Rows of a strip."""
    levels: int = Field(default=5, ge=3)
    """Columns, evenly spread over a path's levels, the outermost and the unmoved one among them."""
    frames: int = Field(default=6, ge=2)
    """Frames shown with each direction: half of them where its coefficient is lowest, half where it is highest."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.levels % 2 == 0 or self.frames % 2:
            raise ValueError("give an odd number of levels and an even number of frames")
        return self


class AtlasConfig(DataConfig):
    """An atlas: of one model, on people that it was not trained on."""

    model: str
    """A folder or `s3://` prefix with a model or checkpoint, a training's output, a released file, or
    `models:/NAME@ALIAS`."""
    output: str
    """Folder or `s3://` prefix for the results. The same command again continues where it stopped."""
    identities: int = Field(default=32, ge=LEAST_IDENTITIES)
    """People whose faces are moved: half of them to fit the controls on, half to certify them on. Fewer give wider
    errors."""
    frames_per_clip: int = Field(default=48, ge=2)
    """At most so many frames of each clip, evenly spread, are looked at as they are. Our choice: neighbours say the
    same."""
    least_frames: int = Field(default=200, ge=2)
    """Fewer frames with a face than this, over all clips, are refused: quantiles and regressions need them."""
    levels: int = Field(default=9, ge=5)
    """How many places along each path are looked at, the unmoved one among them; an odd number."""
    networks: AtlasNetworksConfig = AtlasNetworksConfig()
    strips: StripsConfig = StripsConfig()
    compare: list[str] = Field(default_factory=list)
    """Outputs of other atlases, of other seeds or checkpoints, for the stability of the dictionary."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.levels % 2 == 0:
            raise ValueError("levels must be odd, so that the unmoved picture is in the middle")
        if self.strips.levels > self.levels:
            raise ValueError(f"strips.levels={self.strips.levels} are more than levels={self.levels}")
        return self
