"""`liax promote`: a version becomes the champion if it is measurably better than the one that is."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from liax.config import build, job_config
from liax.errors import UserError, run_main
from liax.evaluation.config import EvaluateConfig, MeasureConfig
from liax.evaluation.definitions import Protocol
from liax.progress import say
from liax.tracking.address import SettingUri

if TYPE_CHECKING:
    from liax.evaluation.run import Evaluation, Prepared
    from liax.registry.promote import Contest

NOT_PROMOTED = 3
"""Exit code: all went well, and the champion stays."""

DESCRIPTION = """Evaluate a version of a registered model and its champion on the same clips, and move the alias
`champion` to the version if it is better by more than the 95 % interval of their difference. The reason goes into the
version's tags. Where there is no champion yet, the version becomes it. The clips of the first promotion are used
again by later ones. Exit code 0: promoted; 3: the champion stays."""


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
    """Compare on another set than the one on which the earlier champions were chosen; remembered if the champion
    moves."""
    output: str | None = None
    """Folder or `s3://` prefix for the evaluations, kept for the next promotion; null for runs/promotions/NAME."""
    tracking_uri: SettingUri | None = None
    """MLflow's address; null for `MLFLOW_TRACKING_URI`, else mlflow.db in this folder."""
    experiment: str = "liax-evaluate"
    """Name of the MLflow experiment in which the evaluations are logged."""

    @model_validator(mode="after")
    def _check_clips(self) -> Self:
        # In place of the evaluation's: neither of the two means those that are remembered with the model.
        if self.shards is not None and self.videos is not None:
            raise ValueError("give shards= or videos=, one of the two")
        return self


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
    from liax.evaluation.run import evaluate, prepare
    from liax.registry.promote import (
        check_metric,
        check_sizes,
        check_validation_set,
        find_contest,
        judge,
        settle,
        validation_data,
        validation_set,
    )
    from liax.tracking.address import tracking_uri

    check_metric(job.metric, job.protocol)
    address = tracking_uri(job.tracking_uri)
    contest = find_contest(job.name, job.candidate, address)
    job = _with_clips(job, contest)
    versions = [contest.candidate, *([] if contest.champion is None else [contest.champion])]
    prepared = {version: prepare(_measuring(job, contest.uri(version), version), address) for version in versions}
    check_metric(job.metric, job.protocol, prepared[contest.candidate].unavailable)
    set_id = validation_set(job, prepared[contest.candidate].clips.set_id)
    check_validation_set(contest, set_id, allow_another=job.new_validation_set)
    check_sizes(contest, {version: one.work.subject.size_px for version, one in prepared.items()})
    found = {}
    with ray_session.session(job.local_cores):
        for version in versions:
            say(f"version {version} of {job.name}")
            found[version] = evaluate(prepared[version])
    notes = _log(address, job.experiment, prepared, found)
    champion = None if contest.champion is None else found[contest.champion].records
    verdict = judge(contest, job.metric, job.protocol, found[contest.candidate].records, champion)
    settle(contest, verdict, set_id, notes, address, validation_data(job))
    outcome = "is the champion" if verdict.promoted else "is not promoted"
    say(f"version {contest.candidate} of {job.name} {outcome}: {verdict.reason}")
    return 0 if verdict.promoted else NOT_PROMOTED


def _with_clips(job: PromoteJob, contest: "Contest") -> PromoteJob:
    """The job with the clips that it names, else with those that are remembered with the model."""
    if job.shards is not None or job.videos is not None:
        return job
    if not contest.validation_data:
        raise UserError(
            f"give shards= or videos=: the clips that versions of '{job.name}' are compared on. Later promotions use "
            "the same without being told"
        )
    given = job.model_dump(exclude_unset=True)
    return build(PromoteJob, contest.validation_data | given, f"the tags of '{job.name}'")


def _measuring(job: PromoteJob, model: str, version: str) -> EvaluateConfig:
    """The evaluation of one version, in a folder of its own."""
    values = job.model_dump(include=set(MeasureConfig.model_fields))
    output = (job.output or f"runs/promotions/{job.name}").rstrip("/")
    own = {"model": model, "output": f"{output}/{version}", "protocols": [job.protocol]}
    return EvaluateConfig.model_validate(values | own)


def _log(
    address: str, experiment: str, prepared: Mapping[str, "Prepared"], found: Mapping[str, "Evaluation"]
) -> dict[str, str]:
    """Log the evaluations; the candidate's comes first. Returns the MLflow runs' ids by what they are to it."""
    from liax.evaluation.logged import log_evaluation
    from liax.tracking.client import failure_of

    runs: dict[str, str] = {}
    for role, version in zip(("run", "against_run"), found, strict=False):

        def log(role: str = role, version: str = version) -> None:
            runs[role] = log_evaluation(address, experiment, prepared[version], found[version])

        missed = failure_of(log)
        if missed is not None:  # the verdict rests on what was written to the output
            say(f"MLflow misses the evaluation of version {version} ({missed})")
    return runs


if __name__ == "__main__":
    sys.exit(run_main(run))
