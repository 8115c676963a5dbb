"""Stage 1, list: the URIs of the source videos."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from liax import storage
from liax.errors import UserError
from liax.video.ffmpeg import VIDEO_SUFFIXES

MANIFEST_SUFFIXES = (".txt", ".csv", ".parquet")

COLUMN = "file"
"""Of a table, where the videos' names are."""


def list_sources(inputs: Sequence[str]) -> list[str]:
    """Find the videos under folders, prefixes and manifests.

    Args:
        inputs: folders, files, `s3://` prefixes; .txt, .csv and .parquet files are manifests.

    Returns:
        URIs, absolute where local, sorted, each once.

    Raises:
        UserError: an input does not exist, a manifest has no usable column, a file's name is not UTF-8, or there is no
            video at all.
    """
    found: set[str] = set()
    for given in inputs:
        if given.lower().endswith(MANIFEST_SUFFIXES):
            found.update(_read_manifest(given))
        else:
            uris = storage.list_files(given)
            # A file named by the user is taken whatever its name; in a folder the name has to say "video".
            found.update(_absolute(uri) for uri in uris if uri == given or uri.lower().endswith(VIDEO_SUFFIXES))
    if not found:
        raise UserError(f"no video under {', '.join(inputs)} (looked for {', '.join(VIDEO_SUFFIXES)})")
    for uri in found:
        _check_name(uri)
    return sorted(found)


def _check_name(uri: str) -> None:
    """Tables and reports hold text, and a name in an old encoding is none."""
    try:
        uri.encode()
    except UnicodeEncodeError:
        raise UserError(f"the file name {os.fsencode(uri)!r} is not UTF-8: rename the file") from None


def _read_manifest(url: str) -> list[str]:
    data = storage.read_bytes(url)
    entries = _parquet_entries(url, data) if url.lower().endswith(".parquet") else _text_entries(url, data)
    folder = url.rsplit("/", 1)[0] if "/" in url else "."
    return [_absolute(entry if _is_complete(entry) else storage.join(folder, entry)) for entry in entries if entry]


def _text_entries(url: str, data: bytes) -> list[str]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"the manifest {url} is not a UTF-8 text file") from None
    if url.lower().endswith(".txt"):
        return [line.strip() for line in text.splitlines()]
    reader = csv.DictReader(io.StringIO(text))
    try:
        _check_column(url, reader.fieldnames or [])
        return [row[COLUMN].strip() for row in reader if row[COLUMN]]
    except csv.Error as error:
        raise UserError(f"the manifest {url} is no CSV table: {error} (line {reader.line_num})") from None


def _parquet_entries(url: str, data: bytes) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(io.BytesIO(data))
        _check_column(url, table.schema_arrow.names)
        kind = table.schema_arrow.field(COLUMN).type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise UserError(f"the column '{COLUMN}' of the manifest {url} holds no text")
        return [entry for entry in table.read([COLUMN])[COLUMN].to_pylist() if entry]
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"the manifest {url} cannot be read: {str(error).splitlines()[0]}") from None


def _check_column(url: str, columns: Sequence[str]) -> None:
    if COLUMN not in columns:
        raise UserError(f"the manifest {url} has no column '{COLUMN}'; it has {', '.join(columns) or 'none'}")


def _is_complete(entry: str) -> bool:
    return storage.is_s3(entry) or Path(entry).is_absolute()


def _absolute(uri: str) -> str:
    return uri if storage.is_s3(uri) else str(Path(uri).absolute())
