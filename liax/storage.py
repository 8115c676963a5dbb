"""Files by name, a local path or `s3://bucket/key`. Writes are atomic: a reader sees all of a file or nothing."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liax.errors import LiaxError, StorageError, UserError

if TYPE_CHECKING:
    from botocore.client import BaseClient

_READERS = 16
"""Requests at once when many small files are read."""

_UNFINISHED = ".part"
"""How the names of files end that are being written."""

_BODY_ATTEMPTS = 5
"""How often an S3 object is asked for whose body breaks off on its way."""


def is_s3(url: str) -> bool:
    """Whether the name is an S3 object or prefix."""
    return url.startswith("s3://")


def join(url: str, *parts: str) -> str:
    """Append path parts to a local path or an S3 prefix."""
    return "/".join([url.rstrip("/") if url != "/" else "", *(part.strip("/") for part in parts)])


def exists(url: str) -> bool:
    """Whether a file (not a folder or prefix) of that name exists."""
    if not is_s3(url):
        return os.path.isfile(url)  # noqa: PTH113 - Path.is_file raises where a folder above may not be entered
    bucket, key = _bucket_key(url)
    with _s3_at(url) as client:
        try:
            client.head_object(Bucket=bucket, Key=key)
        except client.exceptions.ClientError as error:
            if _status(error) == 404:
                return False
            raise
    return True


def size(url: str) -> int:
    """Size in bytes. Raises UserError if there is no such file."""
    if not is_s3(url):
        return _local(url).stat().st_size
    bucket, key = _bucket_key(url)
    with _s3_at(url) as client:
        return int(client.head_object(Bucket=bucket, Key=key)["ContentLength"])


def list_files(url: str, suffixes: Sequence[str] | None = None) -> list[str]:
    """All files under a folder or prefix, at any depth, sorted; a file's own name gives that file.

    Args:
        url: folder, file or S3 prefix.
        suffixes: keep names with these endings only (lower case, with the dot); None keeps all.

    Raises:
        UserError: there is no such folder, file or bucket.
    """
    if is_s3(url):
        found = _list_s3(url)
    elif os.path.isdir(url):  # noqa: PTH112 - Path.is_dir raises where a folder above may not be entered
        # Links to folders are not followed, so a loop of links cannot hold the listing.
        found = [str(Path(folder) / name) for folder, _, names in os.walk(url, onerror=_unlisted) for name in names]
    elif os.path.exists(url):  # noqa: PTH110 - as above
        found = [url]
    else:
        raise UserError(f"no such file or folder: {url}")
    if suffixes is not None:
        found = [name for name in found if Path(name).suffix.lower() in suffixes]
    return sorted(found)


def _unlisted(error: OSError) -> None:
    """Without this, `os.walk` leaves out what it may not list, and its files would vanish without a word."""
    if not isinstance(error, FileNotFoundError):  # removed meanwhile
        raise UserError(f"cannot list the folder {error.filename}: {error.strerror}") from None


def read_bytes(url: str, start: int = 0, length: int | None = None) -> bytes:
    """A file's bytes from `start`, `length` of them or up to the end. Raises UserError if there is no such file."""
    if not is_s3(url):
        with _local(url).open("rb") as file:
            file.seek(start)
            return file.read(-1 if length is None else length)
    bucket, key = _bucket_key(url)
    last = "" if length is None else start + length - 1
    ranged: dict[str, Any] = {} if start == 0 and length is None else {"Range": f"bytes={start}-{last}"}
    with _s3_at(url) as client:
        for _ in range(_BODY_ATTEMPTS - 1):
            answer = client.get_object(Bucket=bucket, Key=key, **ranged)
            with suppress(*_broken_off()):
                return bytes(answer["Body"].read())
        return bytes(client.get_object(Bucket=bucket, Key=key, **ranged)["Body"].read())


def _broken_off() -> tuple[type[Exception], ...]:
    """The errors of a body that ends too early or stops coming. botocore repeats a request, but not for these."""
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    return HTTPClientError, IncompleteReadError


def read_many(urls: Sequence[str]) -> list[bytes]:
    """Many small files as a whole, at once: on S3 each waits for the network. Errors as in `read_bytes`."""
    with ThreadPoolExecutor(max_workers=_READERS) as threads:
        return list(threads.map(read_bytes, urls))


def write_bytes(url: str, data: bytes) -> None:
    """Write a file as a whole, replacing one of the same name."""
    if is_s3(url):
        bucket, key = _bucket_key(url)
        with _s3_at(url) as client:
            client.put_object(Bucket=bucket, Key=key, Body=data)
        return
    with _beside(Path(url)) as temporary:
        temporary.write_bytes(data)
        temporary.replace(url)


def create_bytes(url: str, data: bytes) -> bool:
    """Write a file only if there is none of that name; of several writers exactly one gets True."""
    if is_s3(url):
        bucket, key = _bucket_key(url)
        with _s3_at(url) as client:
            try:
                client.put_object(Bucket=bucket, Key=key, Body=data, IfNoneMatch="*")
            except client.exceptions.ClientError as error:
                # 409: another writer of the same name is at work; its copy, not ours, will stand.
                if _status(error) in (409, 412):
                    return False
                raise
        return True
    with _beside(Path(url)) as temporary:
        temporary.write_bytes(data)
        try:
            os.link(temporary, url)  # unlike a rename, fails if the name is taken
        except FileExistsError:
            return False
        return True


def upload(local: str | Path, url: str) -> None:
    """Copy a local file to a name, as a whole."""
    if is_s3(url):
        bucket, key = _bucket_key(url)
        with _s3_at(url) as client:
            client.upload_file(str(local), bucket, key)
        return
    with _beside(Path(url)) as temporary:
        shutil.copyfile(local, temporary)
        temporary.replace(url)


@contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """A local path with the file's content: the file itself where it is local, else a temporary download."""
    if not is_s3(url):
        yield _local(url)
        return
    bucket, key = _bucket_key(url)
    with tempfile.TemporaryDirectory(prefix="liax-") as folder:
        path = Path(folder) / f"download{Path(key).suffix}"
        with _s3_at(url) as client:
            client.download_file(bucket, key, str(path))
        yield path


def remove(url: str) -> None:
    """Remove a file; no error if it is gone already."""
    if is_s3(url):
        bucket, key = _bucket_key(url)
        with _s3_at(url) as client:
            client.delete_object(Bucket=bucket, Key=key)
    else:
        Path(url).unlink(missing_ok=True)


def remove_unfinished(url: str) -> None:
    """Remove what killed writers left half written, anywhere under a folder; S3 keeps no unfinished objects."""
    if is_s3(url):
        return
    for name in Path(url).rglob(f".*{_UNFINISHED}"):
        with suppress(OSError), name.open("rb") as file:  # its writer lives, or it is gone already
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            name.unlink()


def make_folder(url: str) -> None:
    """Make a local folder with its parents; S3 has no folders to make."""
    if not is_s3(url):
        try:
            Path(url).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UserError(f"{url} cannot be a folder: a file is in its place") from None
        except OSError as error:
            raise UserError(f"cannot make the folder {url}: {error.strerror}") from None


def _local(url: str) -> Path:
    path = Path(url)
    try:
        if path.is_file():
            return path
    except PermissionError:
        raise UserError(f"no permission to read {url}") from None
    raise UserError(f"no such file: {url}")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder, so that a rename or link is atomic; removed if still there at the end."""
    make_folder(str(path.parent))
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_UNFINISHED)
    except OSError as error:
        raise UserError(f"cannot write to the folder {path.parent}: {error.strerror}") from None
    with suppress(OSError):  # a file system without locks; nothing is then removed for want of one
        fcntl.flock(handle, fcntl.LOCK_EX)  # says that its writer lives, see `remove_unfinished`
    os.fchmod(handle, 0o644)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
        os.close(handle)


@cache
def _s3() -> "BaseClient":
    import boto3  # heavy, and not needed for local files
    from botocore.config import Config

    return boto3.client("s3", config=Config(retries={"max_attempts": 8, "mode": "standard"}))


@contextmanager
def _s3_at(url: str) -> Iterator["BaseClient"]:
    """The S3 client, whose errors while it is used for `url` become this project's."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
    from botocore.exceptions import ConnectionError as AwayError

    try:
        yield _s3()
    except ClientError as error:
        raise _s3_error(url, error) from None
    except (AwayError, HTTPClientError, IncompleteReadError, Boto3Error) as error:
        raise StorageError(f"S3 cannot be reached for {url}: {error}") from None
    except BotoCoreError as error:
        raise UserError(f"S3 cannot be used for {url}: {error}; check the credentials and the settings") from None


def _bucket_key(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not bucket:
        raise UserError(f"'{url}' names no bucket: write s3://bucket/key")
    return bucket, key


def _list_s3(url: str) -> list[str]:
    bucket, key = _bucket_key(url)
    with _s3_at(url) as client:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    # A prefix is meant as a folder: "s3://b/a" must not list "s3://b/ab/…".
    folder = key if not key or key.endswith("/") else f"{key}/"
    found = [k for k in keys if (k.startswith(folder) or k == key) and not k.endswith("/")]
    if not found:
        raise UserError(f"nothing under {url}")
    return [f"s3://{bucket}/{k}" for k in found]


def _status(error: Exception) -> int:
    response: dict[str, Any] = getattr(error, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _s3_error(url: str, error: Exception) -> LiaxError:
    if _status(error) == 404:
        return UserError(f"no such object: {url}")
    if _status(error) >= 500:
        return StorageError(f"S3 failed at {url}: {error}")
    return UserError(f"S3 refused {url}: {error}; check the credentials and the bucket's name")
