"""What `liax doctor` is told: what the jobs will be told, under the same names."""

from pydantic import Field

from liax.config import Config
from liax.tracking.address import SettingUri


class TrackingConfig(Config):
    """Where the jobs will log."""

    uri: SettingUri | None = None
    """MLflow's address; null for `MLFLOW_TRACKING_URI`, and without that it is not checked; `none` checks nothing."""


class DoctorConfig(Config):
    """What is checked beside the machines themselves."""

    input: str | None = None
    """Raw videos, a folder or s3:// prefix, which every machine must be able to read."""
    shards: str | None = None
    """Shards, a folder or s3:// prefix, which every machine must be able to read."""
    output: str | None = None
    """A folder that is there, or an s3:// prefix, in which every machine must be able to write, read and remove."""
    tracking: TrackingConfig = TrackingConfig()
    nodes: int | None = Field(default=None, ge=1)
    """How many machines there must be, with the head; null takes those that are there."""
    gpus: int | None = Field(default=None, ge=1)
    """How many GPUs there must be, `workers` of the training; null takes those that are there."""
    transfer_mib: int = Field(default=64, ge=1, le=4096)
    """What each machine writes and reads to measure the storage, in MiB. Our choice, because it takes a second at the
    rate of a slow machine, and waiting for the answer no longer counts."""
    limit_s: float = Field(default=180.0, gt=0)
    """How long a machine may take for each check. Our choice, because a storage that is gone is told after two minutes
    (see `liax/storage.py`)."""
