"""`liax evaluate`: how good a model is, on a validation split or on videos, on Ray."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from liax.config import Config, job_config
from liax.errors import run_main
from liax.evaluation.config import EvaluateConfig
from liax.progress import say
from liax.tracking.address import SettingUri

if TYPE_CHECKING:
    from liax.evaluation.run import Evaluation

DESCRIPTION = """Measure a model on the people of a validation split, or on videos: each clip redrawn from its first
frame (self), and each clip driving another person's first frame (cross), beside showing that frame unchanged. Started
again with the same settings, an interrupted run continues."""


class TrackingConfig(Config):
    """Where the results are logged too; they are in the output in any case."""

    uri: SettingUri | None = None
    """MLflow's address; null for `MLFLOW_TRACKING_URI`, and without that nothing is logged; `none` logs nothing. Also
    where a `models:/` name is looked up."""
    experiment: str = "liax-evaluate"
    """Name of the MLflow experiment."""


class EvaluateJob(EvaluateConfig):
    """An evaluation and its log."""

    tracking: TrackingConfig = TrackingConfig()


def run(argv: Sequence[str]) -> int:
    """`liax evaluate`. Returns the exit code."""
    job = job_config(
        EvaluateJob,
        argv,
        prog="liax evaluate",
        description=DESCRIPTION,
        example="liax evaluate model=runs/tiny shards=runs/faces output=runs/evaluation",
    )
    if job is None:
        return 0
    from liax import ray_session
    from liax.evaluation.logged import log_evaluation  # heavy, and not needed for --help
    from liax.evaluation.run import evaluate, prepare
    from liax.tracking.address import NO_TRACKING, tracking_uri
    from liax.tracking.client import connect, failure_of

    asked = job.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")
    wanted = None if asked == NO_TRACKING else asked
    # Where it is logged is no part of what is measured.
    config = EvaluateConfig.model_validate(job.model_dump(exclude={"tracking"}))
    prepared = prepare(config, wanted)
    address = tracking_uri(wanted) if wanted else None
    if address is not None:
        connect(address)  # before the work, if nothing answers there
    with ray_session.session(config.local_cores):
        found = evaluate(prepared)
    say(_told(found))
    say(f"table, plots and clips: {prepared.work.url}")
    if address is not None:
        # The results are written, so a failure is said and does not fail the job.
        missed = failure_of(lambda: log_evaluation(address, job.tracking.experiment, prepared, found))
        if missed is not None:
            say(f"MLflow misses this evaluation ({missed}); run the same command again to log it")
    return 0


def _told(found: "Evaluation") -> str:
    """The table in short."""
    lines = [f"people: {found.summary.people}"]
    for protocol, results in found.summary.results.items():
        lines.append(f"{protocol}: {results.clips} clips of {results.videos} videos")
        for metric, estimate in results.contestants["model"].items():
            copy = results.contestants["copy"].get(metric)
            lines.append(f"  {metric:<12} {estimate.text():<28} copy {copy.text() if copy else '-'}")
        lines += [f"  {metric:<12} unavailable: {why}" for metric, why in results.unavailable.items()]
        lines += [f"  left out: {count} clips, {why}" for why, count in results.left_out.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_main(run))
