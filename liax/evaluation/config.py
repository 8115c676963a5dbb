"""What an evaluation can be told."""

from typing import Any, Literal

from pydantic import Field

from liax.config import Config
from liax.evaluation.data_config import DataConfig, FaceNetworksConfig
from liax.evaluation.definitions import PROTOCOLS, Protocol

# As `liax.inference.transfer.Mode`, whose file loads PyTorch.
Mode = Literal["relative", "absolute"]


class NetworksConfig(FaceNetworksConfig):
    """The weights that an evaluation can use."""

    inception: str | None = None
    """For FID: StyleGAN2-ADA's inception-2015-12-05.pt, under this name, as the package clean-fid loads it."""


class FacesConfig(Config):
    """How faces are measured."""

    every: int = Field(default=5, ge=1)
    """Faces are measured in each so-many-th frame. Our choice, five times a second at 25 fps: they cost more than the
    pictures, and neighbouring frames say the same."""


class CrossConfig(Config):
    """Who drives whom in cross-reenactment."""

    pairs: str | None = None
    """CSV file with the columns `source` and `driving`: clips' keys, or names of video files; null draws pairs."""
    sources_per_clip: int = Field(default=1, ge=1)
    """Drawn sources for each driving clip, each of another person. The draw stays as it is where clips are added."""
    mode: Mode = "relative"
    """`relative` adds the driving motion since its first frame to the source's own pose; `absolute` takes it over."""


class ShownConfig(Config):
    """The clips that are shown as videos, source | driving | result."""

    clips: int = Field(default=2, ge=0)
    """So many of the worst and as many of the best, for each protocol."""
    self_by: str = "l1"
    """Measure that chooses them in self-reenactment."""
    cross_by: str = "csim"
    """Measure that chooses them in cross-reenactment."""


class MeasureConfig(DataConfig):
    """What models are measured on, and how."""

    frames: int | None = Field(default=None, ge=1)
    """At most so many frames of each clip, from its beginning; null for all."""
    faces: FacesConfig = FacesConfig()
    cross: CrossConfig = CrossConfig()
    networks: NetworksConfig = NetworksConfig()
    fid_frames: int = Field(default=16, ge=1)
    """At most so many frames of each clip, evenly spread, for FID. Our choice: neighbours are nearly the same picture,
    and each costs 24 KB of the records."""
    shown: ShownConfig = ShownConfig()

    def measuring(self, protocol: Protocol) -> dict[str, Any]:
        """The settings that change a clip's numbers in a protocol."""
        values: dict[str, Any] = {
            "frames": self.frames,
            "faces": self.faces.every,
            "fid_frames": self.fid_frames,
            "dtype": self.dtype,
            "crop": self.crop if self.videos is not None else None,
        }
        return values | ({"mode": self.cross.mode} if protocol == "cross" else {})

    def mode(self, protocol: Protocol) -> Mode:
        """How motion is transferred."""
        return "absolute" if protocol == "self" else self.cross.mode

    def shown_by(self, protocol: Protocol) -> str:
        """The measure that chooses the shown clips."""
        chosen: dict[Literal["self", "cross"], str] = {"self": self.shown.self_by, "cross": self.shown.cross_by}
        return chosen[protocol]


class EvaluateConfig(MeasureConfig):
    """An evaluation: of one model."""

    model: str
    """A folder or `s3://` prefix with a model or checkpoint, a training's output, a released file, or
    `models:/NAME@ALIAS`."""
    output: str
    """Folder or `s3://` prefix for the results. The same command again continues where it stopped."""
    protocols: list[Protocol] = Field(default=list(PROTOCOLS), min_length=1)
    """What is done with the clips."""
