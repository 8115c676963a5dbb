"""`liax promote`: a version becomes the champion if it is measurably better than the one that is."""

import sys
from collections.abc import Sequence

from liax.config import job_config
from liax.errors import run_main
from liax.evaluation.config import EvaluateConfig, MeasureConfig
from liax.evaluation.definitions import Protocol
from liax.progress import say

NOT_PROMOTED = 3
"""Exit code: all went well, and the champion stays."""

DESCRIPTION = """Evaluate a version of a registered model and its champion on the same clips, and move the alias
`champion` to the version if it is better by more than the 95 % interval of their difference. The reason goes into the
version's tags. Where there is no champion yet, the version becomes it. Exit code 0: promoted; 3: the champion stays."""


class PromoteJob(MeasureConfig):
    """A promotion."""

    name: str
    """Of the registered model."""
    candidate: str = "candidate"
    """Version that shall become the champion: its number, or an alias."""
    metric: str = "l1"
    """Measure that decides, one that single clips have a value of (see `liax evaluate`)."""
    protocol: Protocol = "self"
    """In which of the protocols."""
    new_validation_set: bool = False
    """Compare on another set than the one on which the earlier champions were chosen, and remember this one."""
    output: str | None = None
    """Folder or `s3://` prefix for the evaluations, kept for the next promotion; null for runs/promotions/NAME."""
    tracking_uri: str | None = None
    """MLflow's address; null for `MLFLOW_TRACKING_URI`, else mlflow.db in this folder."""
    experiment: str = "liax-evaluate"
    """Name of the MLflow experiment in which the evaluations are logged."""


def run(argv: Sequence[str]) -> int:
    """`liax promote`. Returns the exit code."""
    job = job_config(
        PromoteJob,
        argv,
        prog="liax promote",
        description=DESCRIPTION,
        example="liax promote face-animator --candidate 3 shards=runs/faces",
        first="name",
        options=["candidate", "metric", "tracking_uri"],
    )
    if job is None:
        return 0
    from liax import ray_session  # heavy, and not needed for --help
    from liax.evaluation.logged import log_evaluation
    from liax.evaluation.run import evaluate, prepare
    from liax.registry.promote import check_metric, check_validation_set, find_contest, judge, settle
    from liax.tracking.address import tracking_uri

    check_metric(job.metric, job.protocol)
    address = tracking_uri(job.tracking_uri)
    contest = find_contest(job.name, job.candidate, address)
    versions = [contest.candidate, *([] if contest.champion is None else [contest.champion])]
    prepared = {version: prepare(_measuring(job, contest.uri(version), version), address) for version in versions}
    set_id = prepared[contest.candidate].clips.set_id
    check_validation_set(contest, set_id, allow_another=job.new_validation_set)
    found, notes = {}, {}
    with ray_session.session(job.workers):
        for version in versions:
            say(f"version {version} of {job.name}")
            found[version] = evaluate(prepared[version])
    for version, role in zip(versions, ("run", "against_run"), strict=False):
        notes[role] = log_evaluation(address, job.experiment, prepared[version], found[version])
    champion = None if contest.champion is None else found[contest.champion].records
    verdict = judge(contest, job.metric, job.protocol, found[contest.candidate].records, champion)
    settle(contest, verdict, set_id, notes, address)
    outcome = "is the champion" if verdict.promoted else "is not promoted"
    say(f"version {contest.candidate} of {job.name} {outcome}: {verdict.reason}")
    return 0 if verdict.promoted else NOT_PROMOTED


def _measuring(job: PromoteJob, model: str, version: str) -> EvaluateConfig:
    """The evaluation of one version, in a folder of its own."""
    values = job.model_dump(include=set(MeasureConfig.model_fields))
    output = (job.output or f"runs/promotions/{job.name}").rstrip("/")
    own = {"model": model, "output": f"{output}/{version}", "protocols": [job.protocol]}
    return EvaluateConfig.model_validate(values | own)


if __name__ == "__main__":
    sys.exit(run_main(run))
