"""A finished evaluation in MLflow."""

import hashlib

from liax.evaluation.run import Evaluation, Prepared
from liax.tracking.finished import log_finished


def log_evaluation(address: str, experiment: str, prepared: Prepared, found: Evaluation) -> str:
    """Log the numbers and the files. Returns the id of the MLflow run; raises as `log_finished`."""
    summary, subject = found.summary, prepared.work.subject
    identity = "\n".join([prepared.work.url, subject.sha256, summary.definitions_id, *sorted(prepared.trials)])
    return log_finished(
        address,
        experiment,
        job_id=hashlib.sha256(identity.encode()).hexdigest()[:16],
        name=f"{subject.given.rstrip('/').rsplit('/', 1)[-1]} on {prepared.clips.set_id}",
        settings={"model": subject.given, "data": summary.data, "measuring": summary.settings},
        numbers=summary.numbers(),
        files=found.files,
        tags={
            "model_sha256": subject.sha256,
            "definitions": summary.definitions_id,
            "set_id": prepared.clips.set_id,
            "output": prepared.work.url,
        },
    )
