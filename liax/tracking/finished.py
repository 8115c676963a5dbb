"""A finished job in MLflow: its settings, its numbers and a few files. Logged again, it is the same MLflow run."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from liax import storage
from liax.tracking.client import connect, experiment_id, flatten, git_commit, in_groups

_JOB_TAG = "liax.job"
_PARAMETERS_IN_A_MESSAGE, _METRICS_IN_A_MESSAGE = 100, 1000
"""MLflow takes no more at once."""


def log_finished(
    uri: str,
    experiment: str,
    *,
    job_id: str,
    name: str,
    settings: Mapping[str, Any],
    numbers: Mapping[str, float],
    files: Sequence[str],
    tags: Mapping[str, str],
) -> str:
    """Log a job that has ended well.

    Args:
        uri: MLflow's address, see `liax.tracking.address.tracking_uri`.
        experiment: name of the experiment, made if there is none.
        job_id: names the job. A job of the same id and experiment that was logged before is brought up to date.
        name: of the MLflow run, for people.
        settings: nested; become parameters under dotted names, the same for every job of the id.
        numbers: become metrics.
        files: local paths or `s3://` names; become artifacts.
        tags: what else to note.

    Returns:
        The id of the MLflow run.

    Raises:
        UserError: MLflow does not answer.
        mlflow.exceptions.MlflowException: MLflow refuses something.
    """
    from mlflow.entities import Metric, Param

    client = connect(uri)
    within = experiment_id(client, uri, experiment)
    known = client.search_runs([within], f"tags.`{_JOB_TAG}` = '{job_id}'", max_results=1)
    if known:
        run_id = str(known[0].info.run_id)
    else:
        noted = {_JOB_TAG: job_id, **tags, **git_commit()}
        run_id = str(client.create_run(within, run_name=name, tags=noted).info.run_id)
    for parameters in in_groups(flatten(dict(settings)), _PARAMETERS_IN_A_MESSAGE):
        client.log_batch(run_id, params=[Param(key, str(value)) for key, value in parameters])
    now_ms = int(time.time() * 1000)
    for metrics in in_groups(numbers, _METRICS_IN_A_MESSAGE):
        client.log_batch(run_id, metrics=[Metric(key, value, now_ms, 0) for key, value in metrics])
    _upload(client, run_id, files)
    client.set_terminated(run_id, "FINISHED")
    return run_id


def _upload(client: Any, run_id: str, files: Sequence[str]) -> None:
    """MLflow takes local files and keeps their names, so each is copied under its own."""
    with tempfile.TemporaryDirectory(prefix="liax-") as folder:
        for url in files:
            copy = Path(folder) / PurePosixPath(url).name
            copy.write_bytes(storage.read_bytes(url))
            client.log_artifact(run_id, str(copy))
