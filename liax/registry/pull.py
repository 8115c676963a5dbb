"""A registered model, fetched into a folder."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from liax import local_files, storage
from liax.errors import JobError, StorageError, UserError
from liax.registry.names import FOLDER, HASH_TAG, MODEL_FILES, REQUIRED_FILES, ModelAddress, parse_uri
from liax.tracking.address import require_database, without_password
from liax.tracking.address import tracking_uri as resolve_uri
from liax.tracking.client import connect, first_line

_CONFIG_FILE = "config.json"
_UNDER_WAY = ".liax-pull"
"""Lies in a folder while its files are replaced, and tells the next pull of one that was killed."""
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's words for a model or version, and for an alias, that is not there (3.17)."""


def pull(uri: str, folder: str | Path, tracking_uri: str | None = None) -> Path:
    """Fetch a registered model's files.

    What an alias names is looked up once, at the start: where it is moved meanwhile, all files are still of one
    version. A folder is never left with files of two models: until all have come, and are those that were registered,
    it is not touched; and one whose pull was killed while they were put in place is no model until it is pulled again.

    Args:
        uri: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
        folder: local, made if there is none; a model that is there is replaced.
        tracking_uri: MLflow's address, see `liax.tracking.address.tracking_uri`.

    Returns:
        The folder, which `liax.model.weights.load_model` reads.

    Raises:
        UserError: MLflow is not there, or has no such model, alias or version; the folder holds other files.
        JobError: a file is not the one that was registered, or was registered by something else.
        StorageError: a file cannot be fetched, or the folder not be written.
    """
    address = parse_uri(uri)
    _check_folder(str(folder))
    where = resolve_uri(tracking_uri)
    require_database(where)
    client = connect(where)
    version = _find(client, address, uri, where)
    hashes = _registered_hashes(version.tags, uri)
    with tempfile.TemporaryDirectory(prefix="liax-") as scratch:
        files = [_fetch(client, version, name, scratch, where) for name in hashes]
        for file in files:
            _check_hash(file, hashes[file.name], uri)
        put_in_place(files, Path(folder))
    return Path(folder)


def find_version(uri: str, tracking_uri: str | None = None) -> str:
    """The version that a `models:/…` names now. Raises UserError as `pull` does."""
    where = resolve_uri(tracking_uri)
    require_database(where)
    return str(_find(connect(where), parse_uri(uri), uri, where).version)


def _check_folder(folder: str) -> None:
    """Refuse a folder in which a pull would replace something that is not a pulled model: a checkpoint, for example."""
    if storage.is_s3(folder):
        raise UserError(f"cannot pull into {folder}: give a local folder")
    path = Path(folder)
    try:
        names = sorted(entry.name for entry in path.iterdir()) if path.exists() else []
    except OSError as error:
        raise UserError(f"cannot pull into {folder}: {error.strerror}; give another folder") from None
    shown = [name for name in names if not name.startswith(".")]
    if not shown or _UNDER_WAY in names:
        return
    if not set(REQUIRED_FILES) <= set(shown):
        raise UserError(f"{folder} holds other files and no model: give an empty or new folder")
    others = [name for name in shown if name not in MODEL_FILES]
    if others:
        raise UserError(f"{folder} holds {others[0]}, which a pulled model does not: give an empty or new folder")


def _find(client: Any, address: ModelAddress, uri: str, where: str) -> Any:
    """MLflow's record of the version."""
    from mlflow.exceptions import MlflowException

    shown = without_password(where)
    try:
        try:
            if address.alias is not None:
                return client.get_model_version_by_alias(address.name, address.alias)
            return client.get_model_version(address.name, address.version)
        except MlflowException as error:
            if error.error_code not in _ABSENT:
                raise
            known = [model.name for model in client.search_registered_models()]
            hint = f"models there: {', '.join(known) or 'none'}"
            raise UserError(f"no {uri} at {shown}: {first_line(error)} ({hint})") from None
    except MlflowException as error:
        raise StorageError(f"MLflow at {shown} did not answer for {uri}: {first_line(error)}; pull it again") from None


def _registered_hashes(tags: Mapping[str, str], uri: str) -> dict[str, str]:
    """The SHA-256 of each of the version's files. No other name is ever asked for, whatever MLflow says there is."""
    hashes = {name: tags[f"{HASH_TAG}{name}"] for name in MODEL_FILES if f"{HASH_TAG}{name}" in tags}
    missing = [name for name in REQUIRED_FILES if name not in hashes]
    if missing:
        raise JobError(f"{uri} was not registered by `liax register`: it has no hash of {missing[0]}")
    return hashes


def _fetch(client: Any, version: Any, name: str, scratch: str, where: str) -> Path:
    """One file of a version, in the scratch folder."""
    import mlflow
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from mlflow.exceptions import MlflowException

    uri = f"models:/{version.name}/{version.version}"
    try:
        kept = client.get_model_version_download_uri(version.name, version.version)
        fetched = mlflow.artifacts.download_artifacts(
            artifact_uri=f"{kept}/artifacts/{FOLDER}/{name}", dst_path=scratch, tracking_uri=where
        )
    # MLflow's clients of storages let the storages' own errors through.
    except (MlflowException, OSError, Boto3Error, BotoCoreError, ClientError) as error:
        raise StorageError(
            f"cannot fetch {name} of {uri} from {without_password(where)}: {first_line(error)}; "
            "check that its storage can be reached from here, the credentials, and that the file is still there"
        ) from None
    path = Path(scratch, name)
    if Path(fetched) != path or not path.is_file():
        raise JobError(f"{uri} has something else in the place of {name}: do not use it, register it again")
    return path


def _check_hash(file: Path, expected: str, uri: str) -> None:
    with file.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != expected:
            raise JobError(
                f"{file.name} of {uri} is not the file that was registered: do not use it, register it again"
            )


def put_in_place(files: Sequence[Path], folder: Path) -> None:
    """Make a model's files those of a folder, which is at no time a mixture of two.

    Without its configuration a folder is no model, so that goes first and comes last. (A folder renamed as a whole
    would be replaced at once; but one that is a mount or a working folder cannot be renamed.)

    Args:
        files: with the names that they shall have.
        folder: made if there is none. Of the names that a model may have, it keeps none that is not among the files.
    """
    storage.make_folder(str(folder))
    storage.remove_unfinished(str(folder))
    with ExitStack() as stack:
        waiting = {file.name: stack.enter_context(local_files.beside(folder / file.name)) for file in files}
        for file in files:
            shutil.copyfile(file, waiting[file.name])
        with _alone_in(folder):
            (folder / _UNDER_WAY).touch()
            (folder / _CONFIG_FILE).unlink(missing_ok=True)
            for name in sorted(MODEL_FILES, key=lambda name: name == _CONFIG_FILE):
                if name in waiting:
                    waiting[name].replace(folder / name)
                else:
                    (folder / name).unlink(missing_ok=True)
            (folder / _UNDER_WAY).unlink()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Wait for another pull that is just putting its files into the folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
