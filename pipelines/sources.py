"""Stage 1, list: the URIs of the source videos."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from liax import storage
from liax.errors import UserError
from liax.video.ffmpeg import VIDEO_SUFFIXES

MANIFEST_SUFFIXES = (".txt", ".csv")


def list_sources(inputs: Sequence[str]) -> list[str]:
    """Find the videos under folders, prefixes and manifests.

    Args:
        inputs: folders, files, `s3://` prefixes; .txt and .csv files are manifests.

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
    try:
        text = storage.read_bytes(url).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"the manifest {url} is not a UTF-8 text file") from None
    if url.lower().endswith(".txt"):
        entries = [line.strip() for line in text.splitlines()]
    else:
        reader = csv.DictReader(io.StringIO(text))
        if "file" not in (reader.fieldnames or []):
            raise UserError(
                f"the manifest {url} has no column 'file'; it has {', '.join(reader.fieldnames or ['none'])}"
            )
        entries = [row["file"].strip() for row in reader if row["file"]]
    folder = url.rsplit("/", 1)[0] if "/" in url else "."
    return [_absolute(entry if _is_complete(entry) else storage.join(folder, entry)) for entry in entries if entry]


def _is_complete(entry: str) -> bool:
    return storage.is_s3(entry) or Path(entry).is_absolute()


def _absolute(uri: str) -> str:
    return uri if storage.is_s3(uri) else str(Path(uri).absolute())
