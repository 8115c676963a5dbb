"""From a checkpoint to a version of a registered model in MLflow, all of it or nothing."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from liax import storage
from liax.controls_file import CONTROLS_FILE, ControlsFile, read_controls
from liax.errors import JobError, UserError
from liax.inference.controls import Controls
from liax.model.config import ModelConfig
from liax.registry.card import evaluation_table, model_card
from liax.registry.logged_model import logged_model
from liax.registry.names import FOLDER, HASH_TAG, MODEL_FILES, REQUIRED_FILES, check_alias, check_name
from liax.registry.origin import Origin, origin_of, training_run
from liax.tracking.address import tracking_uri as resolve_uri
from liax.tracking.address import without_password
from liax.tracking.client import address_in_use, connect, experiment_id, failure_of, first_line, git_commit
from liax.training.checkpoint import Checkpoint, open_checkpoint

_EXPERIMENT = "liax"
_WEIGHTS, _CARD = "model.safetensors", "README.md"


def register(
    checkpoint_url: str,
    name: str,
    alias: str | None = None,
    tracking_uri: str | None = None,
    *,
    controls: str | None = None,
    evaluation: str | None = None,
) -> str:
    """Register a checkpoint's averaged generator, and point an alias at it.

    Args:
        checkpoint_url: a checkpoint's folder; the output of a training, whose latest checkpoint is taken; or
            `<output>/checkpoints/best`.
        name: of the registered model, made if there is none.
        alias: moved to the new version, or None.
        tracking_uri: MLflow's address, see `liax.tracking.address.tracking_uri`.
        controls: what `liax atlas` measured of these weights; None for the checkpoint's `controls.json`, if it has one.
        evaluation: output of an evaluation of these weights, whose table goes into the model card.

    Returns:
        The new version's number.

    Raises:
        UserError: a name is not allowed, there is no complete checkpoint with averaged weights, what is given does not
            belong to it, MLflow is not there or refuses.
        JobError: MLflow or its storage failed half way; nothing is left behind that they let be removed.
    """
    check_name(name)
    if alias is not None:
        check_alias(alias)
    if not storage.is_s3(checkpoint_url):
        checkpoint_url = str(Path(checkpoint_url).absolute())  # its run is found by the folders above it
    checkpoint = open_checkpoint(checkpoint_url.rstrip("/"))
    if _WEIGHTS not in checkpoint.state.files or not storage.exists(storage.join(checkpoint.url, _WEIGHTS)):
        raise UserError(f"the checkpoint {checkpoint.url} has no averaged weights, {_WEIGHTS}: choose another")
    uri = resolve_uri(tracking_uri)
    client = connect(uri)
    with tempfile.TemporaryDirectory(prefix="liax-") as scratch:
        folder, origin = Path(scratch, FOLDER), origin_of(checkpoint)
        config, measured = _collect(folder, checkpoint, controls)
        table = evaluation_table(evaluation, _sha256(folder / _WEIGHTS)) if evaluation is not None else None
        card = model_card(name, checkpoint.state, config, origin, table, measured)
        (folder / _CARD).write_text(card, encoding="utf-8")
        tags = {
            "steps": str(checkpoint.state.step),
            "size_px": str(config.size_px),
            **origin.tags(),
            **{f"registered_by/{key}": value for key, value in git_commit().items()},
            **{f"{HASH_TAG}{file.name}": _sha256(file) for file in sorted(folder.iterdir())},
        }
        with _told(uri), address_in_use(uri):
            return _upload(client, uri, folder, name, alias, tags, origin)


def _upload(
    client: Any, uri: str, folder: Path, name: str, alias: str | None, tags: dict[str, str], origin: Origin
) -> str:
    run = training_run(origin, client, uri)
    within = str(run.info.experiment_id) if run else experiment_id(client, uri, _EXPERIMENT)
    run_id = str(run.info.run_id) if run else None
    with logged_model(client, uri, folder, within, run_id) as model_id:
        version = _add_version(client, name, model_id, run_id, tags, alias)
    if run_id is not None:
        from mlflow.entities import LoggedModelOutput

        # Last, because it cannot be taken back; what it is for is a link on the page of the run.
        failure_of(lambda: client.log_outputs(run_id, [LoggedModelOutput(model_id, int(tags["steps"]))]))
    return version


def _collect(folder: Path, checkpoint: Checkpoint, controls: str | None) -> tuple[ModelConfig, ControlsFile | None]:
    """Copy the model's files, each as it was written, into a new folder."""
    from liax.model.weights import load_model

    config = load_model(checkpoint.url).config  # a checkpoint that does not load is not registered
    folder.mkdir()
    for file in MODEL_FILES:
        url = storage.join(checkpoint.url, file)
        if file in REQUIRED_FILES or storage.exists(url):
            with storage.local_copy(url) as local:
                shutil.copyfile(local, folder / file)
            if file in checkpoint.state.files and _sha256(folder / file) != checkpoint.state.files[file]:
                raise UserError(f"{url} was changed or damaged since it was written: choose another checkpoint")
    if controls is not None:
        (folder / CONTROLS_FILE).write_bytes(storage.read_bytes(controls))
    if not (folder / CONTROLS_FILE).exists():
        return config, None
    url = controls or storage.join(checkpoint.url, CONTROLS_FILE)
    measured = read_controls(url, _sha256(folder / _WEIGHTS))
    Controls(config.directions, file=measured)  # raises where it is about a dictionary of another size
    return config, measured


def _add_version(
    client: Any, name: str, model_id: str, run_id: str | None, tags: dict[str, str], alias: str | None
) -> str:
    is_new = _make_name(client, name)
    try:
        made = client.create_model_version(
            name, source=f"models:/{model_id}", run_id=run_id, tags=tags, model_id=model_id
        )
        if alias is not None:
            client.set_registered_model_alias(name, alias, made.version)
    except BaseException:
        failure_of(lambda: _remove_versions(client, name, model_id))
        if is_new:
            failure_of(lambda: _remove_name(client, name))
        raise
    return str(made.version)


def _remove_versions(client: Any, name: str, model_id: str) -> None:
    """Remove every version of this model: one may have been made though its answer was lost, and asked for again."""
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.source == f"models:/{model_id}":
            client.delete_model_version(name, version.version)


def _make_name(client: Any, name: str) -> bool:
    """Whether the registered model had to be made."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return False
    return True


def _remove_name(client: Any, name: str) -> None:
    """Unless someone else has added a version to it meanwhile."""
    if not client.search_model_versions(f"name = '{name}'"):
        client.delete_registered_model(name)


@contextmanager
def _told(uri: str) -> Iterator[None]:
    """What MLflow and its storage say becomes one line."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from mlflow.exceptions import MlflowException

    try:
        yield
    # MLflow's clients of storages let the storages' own errors through.
    except (MlflowException, OSError, Boto3Error, BotoCoreError, ClientError) as error:
        left = "".join(f" ({note})" for note in getattr(error, "__notes__", []))
        raise JobError(
            f"MLflow at {without_password(uri)} did not take the model: {first_line(error)}{left}; check that its "
            "storage can be reached from here, and the credentials, and register it again"
        ) from None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
