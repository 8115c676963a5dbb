"""Files by name, a local path or `s3://bucket/key`. Writes are atomic: a reader sees all of a file or nothing."""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liax import local_files
from liax.errors import LiaxError, NoFileError, StorageError, UserError

if TYPE_CHECKING:
    from botocore.client import BaseClient

_THREADS = 16
"""Requests at once when many small files are read or removed."""

_REMOVED_AT_ONCE = 1000
"""S3's limit of one request."""

_BODY_ATTEMPTS = 5
"""How often an S3 object is asked for whose body breaks off on its way."""

_CONNECT_WITHIN_S, _ANSWER_WITHIN_S, _ATTEMPTS = 10, 20, 8
"""How long S3 may take to accept a connection (urllib3: each piece of what is sent, too), how long to say something,
and how often a request is made in all. Our choice: S3 answers in milliseconds, a slow server of one's own in seconds,
and botocore's 60 s each would wait for a dead connection for ten minutes. With botocore's waits between, a server that
is gone is given up after two minutes, a silent one after some three; what may wait for longer asks again by itself."""

_CREATE_ATTEMPTS, _FIRST_WAIT_S = 6, 0.1
"""How often S3 is asked to create an object that others are just creating, and the first, shortest wait between."""


def is_s3(url: str) -> bool:
    """Whether the name is an S3 object or prefix."""
    return url.startswith("s3://")


def join(url: str, *parts: str) -> str:
    """Append path parts to a local path or an S3 prefix."""
    return "/".join([url.rstrip("/") if url != "/" else "", *(part.strip("/") for part in parts)])


def exists(url: str) -> bool:
    """Whether a file (not a folder or prefix) of that name exists."""
    if not is_s3(url):
        with suppress(UserError):
            local_files.find(url)
            return True
        return False
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
    """Size in bytes.

    Raises:
        NoFileError: there is surely no such file.
        NoPermissionError: it is local, and nobody may look.
        UserError: its folder or bucket is not there either, or S3 refused.
        StorageError: the storage failed.
    """
    if not is_s3(url):
        return local_files.find(url).stat().st_size
    bucket, key = _bucket_key(url)
    with _s3_at(url) as client:
        return int(client.head_object(Bucket=bucket, Key=key)["ContentLength"])


def list_files(url: str, suffixes: Sequence[str] | None = None) -> list[str]:
    """All files under a folder or prefix, at any depth, sorted; a file's own name gives that file.

    Files that are still being written are not among them.

    Args:
        url: folder, file or S3 prefix.
        suffixes: keep names with these endings only (lower case, with the dot); None keeps all.

    Raises:
        NoFileError: there is no such local folder or file; or the bucket is there, and nothing under that prefix.
        UserError: there is no such bucket, or it may not be listed.
    """
    found = _list_s3(url) if is_s3(url) else local_files.list_all(url)
    if suffixes is not None:
        found = [name for name in found if Path(name).suffix.lower() in suffixes]
    return sorted(found)


def list_if_there(url: str, suffixes: Sequence[str] | None = None) -> list[str]:
    """The same, and none where nothing is; a storage that refuses is an error all the same."""
    try:
        return list_files(url, suffixes)
    except NoFileError:
        return []


def read_bytes(url: str, start: int = 0, length: int | None = None) -> bytes:
    """A file's bytes from `start`, `length` of them or up to the end. Errors as in `size`."""
    if not is_s3(url):
        return local_files.read(url, start, length)
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
    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        return list(threads.map(read_bytes, urls))


def write_bytes(url: str, data: bytes) -> None:
    """Write a file as a whole, replacing one of the same name."""
    if is_s3(url):
        bucket, key = _bucket_key(url)
        with _s3_at(url) as client:
            client.put_object(Bucket=bucket, Key=key, Body=data)
        return
    with local_files.beside(Path(url)) as temporary:
        temporary.write_bytes(data)
        temporary.replace(url)


def create_bytes(url: str, data: bytes) -> bool:
    """Write a file only if there is none of that name; of several writers exactly one gets True."""
    if not is_s3(url):
        return local_files.create(url, data)
    bucket, key = _bucket_key(url)
    with _s3_at(url) as client:
        for attempt in range(_CREATE_ATTEMPTS):
            try:
                client.put_object(Bucket=bucket, Key=key, Body=data, IfNoneMatch="*")
            except client.exceptions.ClientError as error:
                if _status(error) == 412:  # the name is taken
                    return False
                # 409: something else is being done with that name, and nobody knows yet whose object will stand.
                if _status(error) != 409 or attempt == _CREATE_ATTEMPTS - 1:
                    raise
                time.sleep(_FIRST_WAIT_S * 2**attempt)
            else:
                break
    return True


def upload(local: str | Path, url: str) -> None:
    """Copy a local file to a name, as a whole."""
    if is_s3(url):
        bucket, key = _bucket_key(url)
        with _s3_at(url) as client:
            client.upload_file(str(local), bucket, key)
        return
    with local_files.beside(Path(url)) as temporary:
        shutil.copyfile(local, temporary)
        temporary.replace(url)


@contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """A local path with the file's content: the file itself where it is local, else a temporary download."""
    if not is_s3(url):
        yield local_files.find(url)
        return
    bucket, key = _bucket_key(url)
    with tempfile.TemporaryDirectory(prefix="liax-") as folder:
        path = Path(folder) / f"download{Path(key).suffix}"
        with _s3_at(url) as client:
            try:
                client.download_file(bucket, key, str(path))
            except OSError as error:
                raise StorageError(f"cannot store {url} in {folder} for a while: {error.strerror}") from None
        yield path


def remove(url: str) -> None:
    """Remove a file; no error if it is gone already."""
    if is_s3(url):
        bucket, key = _bucket_key(url)
        with _s3_at(url) as client:
            client.delete_object(Bucket=bucket, Key=key)
    else:
        local_files.remove(url)


def remove_many(urls: Sequence[str]) -> None:
    """Remove many files at once, of one bucket where they are S3 objects; no error for those that are gone already."""
    if urls and is_s3(urls[0]):
        groups = [urls[first : first + _REMOVED_AT_ONCE] for first in range(0, len(urls), _REMOVED_AT_ONCE)]
        with ThreadPoolExecutor(max_workers=_THREADS) as threads:
            list(threads.map(_remove_objects, groups))
        return
    with ThreadPoolExecutor(max_workers=_THREADS) as threads:
        list(threads.map(local_files.remove, urls))


def _remove_objects(urls: Sequence[str]) -> None:
    bucket, _ = _bucket_key(urls[0])
    keys = [{"Key": _bucket_key(url)[1]} for url in urls]
    with _s3_at(urls[0]) as client:
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    for error in answer.get("Errors", []):
        raise StorageError(f"S3 cannot remove s3://{bucket}/{error.get('Key')}: {error.get('Message')}")


def remove_unfinished(url: str) -> None:
    """Remove what killed writers left half written, anywhere under a folder. What a living one writes is left alone.

    On S3 nothing is removed. No half object is ever seen there, but the parts of a large upload that was broken off
    stay, and are paid for, until a lifecycle rule of the bucket (AbortIncompleteMultipartUpload) removes them: from
    here a dead upload looks like one of another machine.
    """
    if not is_s3(url):
        local_files.remove_unfinished(url)


def make_folder(url: str) -> None:
    """Make a local folder with its parents; S3 has no folders to make."""
    if not is_s3(url):
        local_files.make_folder(url)


@cache
def _s3() -> "BaseClient":
    import boto3  # heavy, and not needed for local files
    from botocore.config import Config

    retries: Any = {"total_max_attempts": _ATTEMPTS, "mode": "standard"}
    return boto3.client(
        "s3", config=Config(connect_timeout=_CONNECT_WITHIN_S, read_timeout=_ANSWER_WITHIN_S, retries=retries)
    )


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
        raise NoFileError(f"nothing under {url}")  # and that is sure: a bucket that is not there was told above
    return [f"s3://{bucket}/{k}" for k in found]


def _status(error: Exception) -> int:
    response: dict[str, Any] = getattr(error, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _s3_error(url: str, error: Exception) -> LiaxError:
    if _status(error) == 404:
        return _absent(url)
    if _status(error) in (409, 429) or _status(error) >= 500:
        return StorageError(f"S3 failed at {url}: {error}")
    return UserError(f"S3 refused {url}: {error}; check the credentials and the bucket's name")


def _absent(url: str) -> LiaxError:
    """What a "not found" means: the answer does not always say whether the object or the whole bucket is missing."""
    bucket, key = _bucket_key(url)
    if not key:
        return UserError(f"no such bucket: {url}")
    try:
        with _s3_at(f"s3://{bucket}") as client:
            client.head_bucket(Bucket=bucket)
    except LiaxError as error:
        return error
    return NoFileError(f"no such object: {url}")
