"""Where a checkpoint comes from: its training's settings, code, data and MLflow run, as far as they can be found."""

from dataclasses import dataclass, field
from typing import Any

import yaml

from liax import storage
from liax.errors import LiaxError, UserError
from liax.shards import ShardSet
from liax.tracking.address import without_password
from liax.tracking.note import read_note
from liax.training.checkpoint import TRAIN_FILE, Checkpoint
from liax.training.run_record import read_run

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a checkpoint's training."""

    output: str
    """Of the training: the checkpoint is in `<output>/checkpoints/<step>`."""
    settings: str
    """YAML, without passwords."""
    preset: str = UNKNOWN
    shards: str = UNKNOWN
    """Where its shard set was."""
    set_id: str = UNKNOWN
    """Of that set."""
    code: dict[str, str] = field(default_factory=dict)
    """`git_commit` and `dirty`; empty where nobody knows."""
    tracking_uri: str | None = None
    mlflow_run_id: str | None = None

    def tags(self) -> dict[str, str]:
        """For a version of a registered model."""
        return {"preset": self.preset, "set_id": self.set_id, "shards": self.shards, **self.code}


def origin_of(checkpoint: Checkpoint) -> Origin:
    """Read what the checkpoint and its run's folder say. Raises UserError where its settings are damaged."""
    output = checkpoint.url.rsplit("/", 2)[0]
    url = storage.join(checkpoint.url, TRAIN_FILE)
    text = storage.read_bytes(url).decode(errors="replace")
    try:
        settings = dict(yaml.safe_load(text))
    except (yaml.YAMLError, TypeError, ValueError):
        raise UserError(f"{url} is damaged: choose another checkpoint") from None
    run = read_run(output)
    return Origin(
        output=output,
        settings="\n".join(without_password(line) for line in text.splitlines()),
        preset=str(settings.get("model", {}).get("preset", UNKNOWN)),
        shards=str(settings.get("shards", UNKNOWN)),
        set_id=run.set_id if run else UNKNOWN,
        code=_code(output),
        tracking_uri=run.tracking_uri if run else None,
        mlflow_run_id=run.mlflow_run_id if run else None,
    )


def training_run(origin: Origin, client: Any, uri: str) -> Any:
    """The training's run in that MLflow; None where it has none.

    Raises:
        mlflow.exceptions.MlflowException: MLflow does not answer.
    """
    from mlflow.exceptions import MlflowException

    if origin.mlflow_run_id is None or origin.tracking_uri != without_password(uri):
        return None
    try:
        run = client.get_run(origin.mlflow_run_id)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return run if run.info.lifecycle_stage == "active" else None


def training_set(origin: Origin) -> ShardSet | None:
    """The shard set, where it is still what the model was trained on and can be read from here."""
    try:
        shards = ShardSet(origin.shards)
    except LiaxError:  # moved, or on another machine
        return None
    return shards if origin.set_id in (UNKNOWN, shards.set_id) else None


def _code(output: str) -> dict[str, str]:
    """The code that trained, as the starter of the training noted it."""
    try:
        tags = read_note(output).tags
    except UserError:  # trained without, in one process
        return {}
    return {name: tags[name] for name in ("git_commit", "dirty") if name in tags}
