"""What a preprocessing run can be told."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from liax.config import Config, config_id
from liax.crop import CropConfig
from pipelines.contained import WorkConfig
from pipelines.identities import PeopleConfig
from pipelines.limits import LimitsConfig
from pipelines.quality import QualityConfig
from pipelines.segments import SegmentConfig
from pipelines.shots import ShotsConfig
from pipelines.tracking import FacesConfig

PIPELINE_VERSION = "4"
"""Raised whenever the same input and configuration give other clips than before."""


class ClipConfig(Config):
    """What a clip is."""

    size_px: int = Field(default=512, ge=16, le=8192, multiple_of=2)
    """Width and height."""
    fps: int = Field(default=25, gt=0, le=1000)
    """Constant frame rate."""
    least_s: float = Field(default=1.0, gt=0)
    """Shorter tracks are rejected."""
    longest_s: float = Field(default=20.0, gt=0)
    """Longer tracks are cut into equal parts no longer than this."""
    keyframe_interval: int = Field(default=8, ge=1)
    """Frames from one key frame to the next: a reader decodes at most this many to get any one frame."""
    codec: Literal["h264", "mjpeg"] = "h264"
    """`mjpeg` makes every frame a key frame, for readers that must not decode any other; its files are larger."""
    crf: int = Field(default=18, ge=0, le=51)
    """H.264 quality, 0 (lossless) to 51."""
    jpeg_quality: int = Field(default=2, ge=1, le=31)
    """Quality of `mjpeg`, 1 (best) to 31."""
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow"] = "superfast"
    """How long the encoder searches for a smaller file."""
    fast_decoding: bool = True
    """Leave out what costs a reader most (CABAC, deblocking): about a third of its time, for files a tenth larger."""
    time_limit_s: float = Field(default=600.0, gt=0)
    """A clip that takes longer to make than this is given up."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.longest_s < self.least_s:
            raise ValueError(f"longest_s {self.longest_s} is below least_s {self.least_s}")
        if self.longest_s * self.fps < 2:
            raise ValueError(f"a clip of longest_s {self.longest_s} has less than two frames at fps {self.fps}")
        return self


class SplitConfig(Config):
    """Which people are held back. A person is never on two sides."""

    val_fraction: float = Field(default=0.05, ge=0, lt=1)
    """Share of the people for validation."""
    test_fraction: float = Field(default=0.05, ge=0, lt=1)
    """Share of the people for testing."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.val_fraction + self.test_fraction >= 1:
            raise ValueError("val_fraction and test_fraction together leave nothing to train on")
        return self


class ShardConfig(Config):
    """How clips are packed."""

    target_bytes: int = Field(default=256 * 1024 * 1024, gt=0)
    """A shard is closed when it has reached this size."""


class PreprocessConfig(Config):
    """A preprocessing run."""

    input: str | list[str]
    """Videos: folders, files, `s3://` prefixes, or lists of them: .txt (a line each), .csv or
    .parquet (column `file`)."""
    output: str
    """Folder or `s3://` prefix for the shard set. A run that was interrupted continues when it is started again."""
    limits: LimitsConfig = LimitsConfig()
    segments: SegmentConfig = SegmentConfig()
    shots: ShotsConfig = ShotsConfig()
    faces: FacesConfig = FacesConfig()
    crop: CropConfig = CropConfig()
    clip: ClipConfig = ClipConfig()
    quality: QualityConfig = QualityConfig()
    people: PeopleConfig = PeopleConfig()
    split: SplitConfig = SplitConfig()
    shards: ShardConfig = ShardConfig()
    work: WorkConfig = WorkConfig()
    workers: int | None = Field(default=None, ge=1)
    """How many videos are searched for faces at once, and the cores of a Ray that the job starts for itself; null
    takes all cores there are when the job starts; give a number where a cluster grows with the work."""

    @property
    def inputs(self) -> list[str]:
        """The inputs as a list."""
        return [self.input] if isinstance(self.input, str) else self.input

    @property
    def content(self) -> dict[str, Any]:
        """The settings that decide what the clips are. Where things lie and how many work on them do not."""
        elsewhere: dict[str, Any] = {
            "input": True,
            "output": True,
            "workers": True,
            "work": True,
            "faces": {"weights"},
            "people": {"weights"},
        }
        return self.model_dump(mode="json", exclude=elsewhere)

    @property
    def content_id(self) -> str:
        """Names `content`; two runs with the same id over the same videos give the same bytes."""
        return config_id(self.content | {"pipeline_version": PIPELINE_VERSION})
