"""From a checkpoint to a version of a registered model in MLflow."""

import hashlib
import os
import shutil
import tempfile
import warnings
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import liax
from liax import storage
from liax.errors import JobError, UserError
from liax.model.config import ModelConfig
from liax.registry.card import model_card, run_folder
from liax.registry.names import FOLDER, HASH_TAG, MODEL_FILES, REQUIRED_FILES, check_alias, check_name
from liax.tracking.address import tracking_uri as resolve_uri
from liax.tracking.client import address_in_use, connect, experiment_id, first_line, git_commit
from liax.training.checkpoint import Checkpoint, open_checkpoint
from liax.training.run_record import read_run

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

_EXPERIMENT = "liax"


def register(checkpoint_url: str, name: str, alias: str | None = None, tracking_uri: str | None = None) -> str:
    """Register a checkpoint's averaged generator, and point an alias at it.

    Args:
        checkpoint_url: a checkpoint's folder, or the output of a training, whose latest checkpoint is taken.
        name: of the registered model, made if there is none.
        alias: moved to the new version, or None.
        tracking_uri: MLflow's address, see `liax.tracking.address.tracking_uri`.

    Returns:
        The new version's number.

    Raises:
        UserError: a name is not allowed, there is no complete checkpoint, MLflow is not there or refuses.
        JobError: MLflow failed half way; no version is left behind.
    """
    check_name(name)
    if alias is not None:
        check_alias(alias)
    if not storage.is_s3(checkpoint_url):
        checkpoint_url = str(Path(checkpoint_url).absolute())  # its run is found by the folders above it
    checkpoint = open_checkpoint(checkpoint_url.rstrip("/"))
    uri = resolve_uri(tracking_uri)
    client = connect(uri)
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory(prefix="liax-") as scratch:
        folder = Path(scratch, FOLDER)
        config = _write_folder(folder, checkpoint, name)
        hashes = {f"{HASH_TAG}{file.name}": _sha256(file) for file in sorted(folder.iterdir())}
        run = read_run(run_folder(checkpoint))
        tags = {
            "step": str(checkpoint.state.step),
            "size_px": str(config.size_px),
            "set_id": run.set_id if run else "unknown",
            **git_commit(),
            **hashes,
        }
        run_id = run.mlflow_run_id if run is not None and run.tracking_uri == uri else None
        try:
            with address_in_use(uri):
                model_uri, run_id = _log(client, uri, folder, run_id)
                version = _add_version(client, name, model_uri, run_id, tags, alias)
        except (MlflowException, OSError) as error:
            raise JobError(f"MLflow at {uri} did not take the model: {first_line(error)}") from None
    return version


def requirements() -> list[str]:
    """What a machine must install to use the model: liax's own dependencies at the versions that are used here."""
    from packaging.requirements import Requirement

    needed = [Requirement(text) for text in metadata.requires("liax") or []]
    names = [r.name for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    return [f"{name}=={metadata.version(name).partition('+')[0]}" for name in ["mlflow", *names]]


def _write_folder(folder: Path, checkpoint: Checkpoint, name: str) -> ModelConfig:
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
    (folder / "README.md").write_text(model_card(name, checkpoint, config), encoding="utf-8")
    return config


def _log(client: Any, uri: str, folder: Path, run_id: str | None) -> tuple[str, str]:
    """Upload the model into a run; returns its URI and the run."""
    # MLflow would copy the lock file of whatever project the working folder belongs to into the model.
    os.environ["MLFLOW_UV_AUTO_DETECT"] = "false"
    import mlflow

    experiment = None if run_id else experiment_id(client, uri, _EXPERIMENT)
    status = client.get_run(run_id).info.status if run_id else "FINISHED"
    with warnings.catch_warnings(), mlflow.start_run(run_id, experiment_id=experiment) as run:
        warnings.simplefilter("ignore", UserWarning)  # advice on type hints and examples
        logged = mlflow.pyfunc.log_model(
            name=FOLDER,
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={FOLDER: str(folder)},
            code_paths=[str(Path(liax.__file__).parent)],
            pip_requirements=requirements(),
            signature=signature(),
        )
        run_id = str(run.info.run_id)
    client.update_run(run_id, status=status)  # MLflow has marked the training finished, whatever it was
    return str(logged.model_uri), run_id


def _add_version(client: Any, name: str, model_uri: str, run_id: str, tags: dict[str, str], alias: str | None) -> str:
    from mlflow.exceptions import MlflowException

    is_new = not client.search_registered_models(f"name = '{name}'")
    if is_new:
        client.create_registered_model(name)
    made = None
    try:
        made = client.create_model_version(
            name, source=model_uri, run_id=run_id, tags=tags, model_id=model_uri.removeprefix("models:/")
        )
        if alias is not None:
            client.set_registered_model_alias(name, alias, made.version)
    except (MlflowException, OSError):
        if is_new:
            client.delete_registered_model(name)
        elif made is not None:
            client.delete_model_version(name, made.version)
        raise
    return str(made.version)


def signature() -> "ModelSignature":
    """What the plain MLflow model takes and gives, see `liax.registry.pyfunc_model`."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec
    from mlflow.types.schema import AnyType

    row: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.binary, "source"),
        ColSpec(DataType.binary, "driving"),
        # Not an object with named properties: MLflow refuses a table in which only some rows have one.
        ColSpec(AnyType(), "options", required=False),
    ]
    return ModelSignature(Schema(row), Schema([ColSpec(DataType.binary, "video")]))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
