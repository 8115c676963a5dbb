"""`liax evaluate`: how good a model is, on a validation split or on videos, on Ray."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.measuring import TrackingConfig, measure_and_log
from liax.config import job_config
from liax.errors import run_main
from liax.evaluation.config import EvaluateConfig

if TYPE_CHECKING:
    from liax.evaluation.run import Evaluation, Prepared

DESCRIPTION = """Measure a model on the people of a validation split, or on videos: each clip redrawn from its first
frame (self), and each clip driving another person's first frame (cross), beside showing that frame unchanged. Started
again with the same settings, an interrupted run continues."""


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
    from liax.evaluation.logged import log_evaluation  # heavy, and not needed for --help
    from liax.evaluation.run import evaluate, prepare

    # Where it is logged is no part of what is measured.
    config = EvaluateConfig.model_validate(job.model_dump(exclude={"tracking"}))
    return measure_and_log(
        job.tracking, config.local_cores, lambda uri: prepare(config, uri), evaluate, _told, log_evaluation, "evaluate"
    )


def _told(prepared: "Prepared", found: "Evaluation") -> str:
    """The table in short."""
    lines = [f"people: {found.summary.people}"]
    for protocol, results in found.summary.results.items():
        lines.append(f"{protocol}: {results.clips} clips of {results.videos} videos")
        for metric, estimate in results.contestants["model"].items():
            copy = results.contestants["copy"].get(metric)
            lines.append(f"  {metric:<12} {estimate.text():<28} copy {copy.text() if copy else '-'}")
        lines += [f"  {metric:<12} unavailable: {why}" for metric, why in results.unavailable.items()]
        lines += [f"  left out: {count} clips, {why}" for why, count in results.left_out.items()]
    lines.append(f"table, plots and clips: {prepared.work.url}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_main(run))
