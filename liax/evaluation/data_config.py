"""What every job can be told that measures a model on clips of people: which clips, on what, by how many workers."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from liax.config import Config
from liax.sample import Split

# As `liax.inference.precision.Precision`, whose file loads PyTorch.
Precision = Literal["auto", "float32", "bfloat16", "float16"]


class FaceNetworksConfig(Config):
    """Local paths of weights, at the same place on every machine. What is not there is reported as unavailable."""

    alexnet: str | None = None
    """For LPIPS: torchvision's alexnet-owt-7be5be79.pth."""
    arcface: str | None = None
    """For CSIM: an ONNX network in ArcFace's form; null takes dlib's network."""
    dlib: str | None = None
    """dlib's weights; null looks for them in the usual places."""
    face_landmarker: str | None = None
    """MediaPipe's face landmarker; null looks for it in the usual places."""


class DataConfig(Config):
    """Clips of people, and workers that measure them."""

    shards: str | None = None
    """Shard set with clips to measure on."""
    split: Split = "val"
    """Which of the shard set's people."""
    videos: str | list[str] | None = None
    """Instead of shards: folders, `s3://` prefixes or files of videos, each of one person, framed as for animation."""
    crop: bool = True
    """Frame the face in `videos`; false for videos that are framed already, of which the middle square is taken."""
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
    def _check_clips(self) -> Self:
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
