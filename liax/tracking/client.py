"""Talking to MLflow: a connection that was tried, experiments, and what each run notes."""

import logging
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from liax.errors import UserError
from liax.tracking.address import artifact_folder, quiet_mlflow, without_password

_FAILED_REQUEST = re.compile(r"API request to .* failed .*?([A-Z][\w ]*(?:refused|timed out|known|reset)[\w ]*)")
"""How MLflow wraps what the system says of a request (3.17: `mlflow.utils.rest_utils`)."""

_HEADING = re.compile(r"The following failures occurred while downloading |##### File ")
"""Lines that MLflow puts before what went wrong in fetching files (3.17: `mlflow.store.artifact.artifact_repo`)."""

_UPLOAD = re.compile(r"Failed to upload \S+ to \S+: ")
"""What boto3 puts before what S3 said (1.44: `boto3.s3.transfer`): two long names."""

_REQUEST = re.compile(r" for url: .*")
"""What requests adds to an HTTP status: an address that may be signed, and so let whoever reads it in."""


def connect(uri: str) -> Any:
    """An MLflow client (`mlflow.MlflowClient`) that has been spoken with.

    Raises:
        UserError: nothing answers there.
    """
    quiet_mlflow()
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError  # MLflow's own dependency; what a database says comes as it is

    for name in ("mlflow", "urllib3"):  # the making of tables and every retry would be lines of their own
        logging.getLogger(name).setLevel(logging.ERROR)
    artifact_folder(uri)  # makes the database's folder too
    try:
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise UserError(
            f"no MLflow at {without_password(uri)}: {first_line(error)}; start it or change the address"
        ) from None
    return client


@contextmanager
def address_in_use(uri: str) -> Iterator[None]:
    """Point MLflow's global functions to an address for a while: models are uploaded and fetched with no other."""
    import mlflow

    before = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(None)  # type: ignore[arg-type]  # back to unset, in the environment as well
        if before is not None:
            os.environ["MLFLOW_TRACKING_URI"] = before


def experiment_id(client: Any, uri: str, name: str) -> str:
    """The experiment of that name, made if there is none."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifact_location=artifact_folder(uri)))


def failure_of(action: Callable[[], object]) -> str | None:
    """Do it; None if it worked, else why not, in one line. For what must not end a training."""
    try:
        action()
    except Exception as error:  # noqa: BLE001  # MLflow's, its database's, HTTP's, the storage's: too many to name
        return first_line(error)
    return None


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted names."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat


def in_groups(values: Mapping[str, Any], size: int) -> Iterator[list[tuple[str, Any]]]:
    """Names and values, at most `size` at once."""
    items = iter(values.items())
    while group := list(islice(items, size)):
        yield group


def git_commit() -> dict[str, str]:
    """`git_commit`, and `dirty` for whether files differ from it, where the code stands in a git checkout."""
    commit, changed = _git("rev-parse", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    if commit is None or changed is None:
        return {}
    return {"git_commit": commit, "dirty": "true" if changed else "false"}


def _git(*command: str) -> str | None:
    """What git says about this code's checkout; None if there is no git, or no checkout."""
    try:
        whole = ["git", "-C", str(Path(__file__).parent), *command]
        done = subprocess.run(whole, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def first_line(error: BaseException) -> str:
    """The first line of an error's text, at most 200 characters; of a request that failed, what the system said."""
    lines = [line for line in str(error).strip().splitlines() if not _HEADING.match(line)] or [type(error).__name__]
    request = _FAILED_REQUEST.match(lines[0])
    return (request[1] if request else _REQUEST.sub("", _UPLOAD.sub("", lines[0])))[:200]
