"""A registered model, fetched into a folder."""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from liax import storage
from liax.errors import JobError, UserError
from liax.registry.names import FOLDER, HASH_TAG, MODEL_FILES, REQUIRED_FILES, ModelAddress, parse_uri
from liax.tracking.address import require_database
from liax.tracking.address import tracking_uri as resolve_uri
from liax.tracking.client import address_in_use, connect, first_line


def pull(uri: str, folder: str | Path, tracking_uri: str | None = None) -> Path:
    """Fetch a registered model's files.

    Args:
        uri: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
        folder: local, made if there is none; a model that is there is replaced.
        tracking_uri: MLflow's address, see `liax.tracking.address.tracking_uri`.

    Returns:
        The folder, which `liax.model.weights.load_model` reads.

    Raises:
        UserError: MLflow is not there, or has no such model, alias or version; the folder holds other files.
        JobError: a file is missing or is not the one that was registered.
    """
    address = parse_uri(uri)
    _check_folder(str(folder))
    where = resolve_uri(tracking_uri)
    require_database(where)
    client = connect(where)
    version = _find(client, address, uri, where)
    import mlflow
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory(prefix="liax-") as scratch:
        try:
            with address_in_use(where):
                fetched = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"models:/{version.name}/{version.version}/artifacts/{FOLDER}", dst_path=scratch
                )
        except (MlflowException, OSError) as error:
            raise JobError(f"cannot fetch {uri} from {where}: {first_line(error)}") from None
        files = _verified(Path(fetched), version.tags, uri)
        folder = Path(folder)
        storage.make_folder(str(folder))
        for file in files:
            shutil.copyfile(file, folder / f".{file.name}")
        for name in MODEL_FILES:  # only now, so that a model is not replaced by half of another
            if (folder / f".{name}").exists():
                (folder / f".{name}").replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
    return folder


def find_version(uri: str, tracking_uri: str | None = None) -> str:
    """The version that a `models:/…` names now. Raises UserError as `pull` does."""
    where = resolve_uri(tracking_uri)
    require_database(where)
    return str(_find(connect(where), parse_uri(uri), uri, where).version)


def _check_folder(folder: str) -> None:
    """Refuse a folder in which a pull would replace something that is not a model."""
    if storage.is_s3(folder):
        raise UserError(f"cannot pull into {folder}: give a local folder")
    path = Path(folder)
    if path.is_dir() and any(path.iterdir()) and not all((path / name).is_file() for name in REQUIRED_FILES):
        raise UserError(f"{folder} holds other files and no model: give an empty or new folder")


def _find(client: Any, address: ModelAddress, uri: str, where: str) -> Any:
    """MLflow's record of the version."""
    from mlflow.exceptions import MlflowException

    try:
        if address.alias is not None:
            return client.get_model_version_by_alias(address.name, address.alias)
        return client.get_model_version(address.name, address.version)
    except MlflowException as error:
        known = [model.name for model in client.search_registered_models()]
        hint = f"models there: {', '.join(known) or 'none'}"
        raise UserError(f"no {uri} at {where}: {first_line(error)} ({hint})") from None


def _verified(fetched: Path, tags: dict[str, str], uri: str) -> list[Path]:
    """The model's files, each compared with the hash that was registered with it."""
    names = [name for name in MODEL_FILES if f"{HASH_TAG}{name}" in tags]
    missing = [name for name in REQUIRED_FILES if name not in names]
    if missing:
        raise JobError(f"{uri} was not registered by `liax register`: it has no hash of {missing[0]}")
    for name in names:
        path = fetched / name
        if not path.is_file():
            raise JobError(f"{uri} lacks {name}: register it again")
        if hashlib.sha256(path.read_bytes()).hexdigest() != tags[f"{HASH_TAG}{name}"]:
            raise JobError(f"{name} of {uri} is not the file that was registered: do not use it, register it again")
    return [fetched / name for name in names]
