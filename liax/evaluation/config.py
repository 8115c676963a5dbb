"""What an evaluation can be told."""

import math
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from liax.config import Config
from liax.evaluation.definitions import PROTOCOLS, Protocol
from liax.sample import Split

# As `liax.inference.transfer.Mode` and `liax.inference.precision.Precision`, whose files load PyTorch.
Mode = Literal["relative", "absolute"]
Precision = Literal["auto", "float32", "bfloat16", "float16"]


class NetworksConfig(Config):
    """Local paths of weights, at the same place on every machine. What is not there is reported as unavailable."""

    alexnet: str | None = None
    """For LPIPS: torchvision's alexnet-owt-7be5be79.pth."""
    inception: str | None = None
    """For FID: StyleGAN2-ADA's inception-2015-12-05.pt, under this name, as the package clean-fid loads it."""
    arcface: str | None = None
    """For CSIM: an ONNX network in ArcFace's form; null takes dlib's network."""
    dlib: str | None = None
    """dlib's weights; null looks for them in the usual places."""
    face_landmarker: str | None = None
    """MediaPipe's face landmarker; null looks for it in the usual places."""


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


class MeasureConfig(Config):
    """What models are measured on, and how."""

    shards: str | None = None
    """Shard set with clips to measure on."""
    split: Split = "val"
    """Which of the shard set's people."""
    videos: str | list[str] | None = None
    """Instead of shards: folders, `s3://` prefixes or files of videos, each of one person, framed as for animation."""
    crop: bool = True
    """Frame the face in `videos`; false for videos that are framed already, of which the middle square is taken."""
    frames: int | None = Field(default=None, ge=1)
    """At most so many frames of each clip, from its beginning; null for all."""
    faces: FacesConfig = FacesConfig()
    cross: CrossConfig = CrossConfig()
    networks: NetworksConfig = NetworksConfig()
    fid_frames: int = Field(default=16, ge=1)
    """At most so many frames of each clip, evenly spread, for FID. Our choice: neighbours are nearly the same picture,
    and each costs 24 KB of the records."""
    shown: ShownConfig = ShownConfig()
    training_shards: str | None = None
    """Shard set that the model was trained on, where the model does not say."""
    allow_training_people: bool = False
    """Measure also on people that the model was trained on. The results then do not tell how it does on others."""
    device: str = "auto"
    """`auto` takes a GPU where the worker has reserved one."""
    dtype: Precision = "float32"
    """Of the network."""
    workers: int | None = Field(default=None, ge=1)
    """How many clips are measured at once, each with a model of its own; null for all cores (or GPUs) of the
    cluster."""
    cpus_per_worker: float = Field(default=1, gt=0)
    """Cores that a worker reserves."""
    gpus_per_worker: float | None = Field(default=None, ge=0)
    """GPUs that a worker reserves, or the share of one; null for 1 where the cluster has any."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.shards is None) == (self.videos is None):
            raise ValueError("give shards= or videos=, one of the two")
        return self

    @property
    def local_cores(self) -> int | None:
        """Cores of a local Ray for so many workers; None for all of the machine's."""
        return None if self.workers is None else math.ceil(self.workers * self.cpus_per_worker)

    @property
    def video_urls(self) -> list[str]:
        """The videos' places as a list."""
        return [self.videos] if isinstance(self.videos, str) else self.videos or []

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
