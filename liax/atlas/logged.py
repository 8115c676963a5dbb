"""A finished atlas in MLflow."""

import hashlib

from liax.atlas.run import Atlas, Prepared
from liax.tracking.finished import log_finished


def log_atlas(address: str, experiment: str, prepared: Prepared, found: Atlas) -> str:
    """Log the numbers and the files. Returns the id of the MLflow run; raises as `log_finished`."""
    work, config = prepared.work, prepared.work.config
    measuring = config.model_dump(
        include={"identities", "frames_per_clip", "levels", "dtype", "split", "crop", "compare"}
    )
    decisive = [work.url, work.subject.sha256, prepared.clips.set_id, repr(sorted(measuring.items()))]
    identity = "\n".join([*decisive, repr(work.observers)])
    return log_finished(
        address,
        experiment,
        job_id=hashlib.sha256(identity.encode()).hexdigest()[:16],
        name=f"{work.subject.given.rstrip('/').rsplit('/', 1)[-1]} on {prepared.clips.set_id}",
        settings={"model": work.subject.given, "data": prepared.clips.set_id, "measuring": measuring},
        numbers=found.numbers,
        files=found.files,
        tags={
            "model_sha256": work.subject.sha256,
            "set_id": prepared.clips.set_id,
            "observers": ", ".join(name for _, name in work.observers),
            "output": work.url,
        },
    )
