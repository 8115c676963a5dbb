"""`liax preprocess`: raw videos to a committed shard set of face clips, on Ray."""

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from liax import ray_session
from liax.config import Config, job_config
from liax.errors import run_main
from liax.progress import say
from liax.tracking.address import SettingUri
from pipelines.config import PreprocessConfig

if TYPE_CHECKING:
    from pipelines.run import Run
    from pipelines.summary import Summary

DESCRIPTION = """Find the faces in videos, cut one square clip per face and pack the clips into shards.
Every video and every face ends as a clip or as a line with a reason, in OUTPUT/report.html. Started again with the
same settings, an interrupted run continues."""


class TrackingConfig(Config):
    """Where the run's numbers and report are logged too; they are in the output in any case."""

    uri: SettingUri | None = None
    """MLflow's address; null for `MLFLOW_TRACKING_URI`, and without that nothing is logged; `none` logs nothing."""
    experiment: str = "liax-preprocess"
    """Name of the MLflow experiment."""


class PreprocessJob(PreprocessConfig):
    """A preprocessing run and its log."""

    tracking: TrackingConfig = TrackingConfig()


def run(argv: Sequence[str]) -> int:
    """`liax preprocess`. Returns the exit code."""
    job = job_config(
        PreprocessJob,
        argv,
        prog="liax preprocess",
        description=DESCRIPTION,
        example="liax preprocess input=videos output=runs/shards clip.size_px=256",
    )
    if job is None:
        return 0
    from liax.doctor.versions import require_equal
    from pipelines.graph import open_preprocessing, preprocess  # heavy, and not needed for --help
    from pipelines.run import LIBRARIES

    # Where it is logged is no part of what is made, and must not change its name.
    config = PreprocessConfig.model_validate(job.model_dump(exclude={"tracking"}))
    opened, uris = open_preprocessing(config)
    address = _open_log(job.tracking)
    with ray_session.session(config.workers):
        require_equal(("python", "liax", *LIBRARIES))
        summary = preprocess(config, opened, uris)
    say(summary.text())
    say(f"shards and report: {opened.url}")
    if address is not None:
        _log(address, job, config, opened, summary)
    return 0


def _open_log(tracking: TrackingConfig) -> str | None:
    """MLflow's address, if the run is to be logged. Raises UserError, before the work, if nothing answers there."""
    from liax.tracking.address import NO_TRACKING, tracking_uri

    asked = tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not asked or asked == NO_TRACKING:
        return None
    from liax.tracking.client import connect

    address = tracking_uri(asked)
    connect(address)
    return address


def _log(address: str, job: PreprocessJob, config: PreprocessConfig, opened: "Run", summary: "Summary") -> None:
    """Log the finished run. The shards are made, so a failure is said and does not fail the job."""
    from liax.tracking.client import failure_of
    from liax.tracking.finished import log_finished

    missed = failure_of(
        lambda: log_finished(
            address,
            job.tracking.experiment,
            job_id=hashlib.sha256(f"{opened.url}\n{opened.content_id}\n{opened.input_id}".encode()).hexdigest()[:16],
            name=PurePosixPath(opened.url).name,
            settings=config.content,
            numbers=summary.numbers(),
            files=[opened.file("report.html"), opened.file("summary.json")],
            tags={"output": opened.url, "configuration": opened.content_id},
        )
    )
    if missed is not None:
        say(f"MLflow misses this run ({missed}); run the same command again to log it")


if __name__ == "__main__":
    sys.exit(run_main(run))
