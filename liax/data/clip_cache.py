"""Clips on this machine's own disk, so that a shard set on S3 is fetched once and not once an epoch."""

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

from liax import local_files
from liax.errors import LiaxError
from liax.progress import say
from liax.shards import SampleRef, ShardSet
from liax.weights import cache_folder

_HASH_BYTES = hashlib.sha256().digest_size
_LOOK_EVERY_S = 30.0
"""Between looks at how large the folder is. Our choice: listing it costs milliseconds for each thousand clips."""
_LEAVE_SHARE = 0.9
"""What is left of the limit when clips were removed, so that not every clip removes another."""


class ClipCache:
    """Reads members of samples by way of a folder that all processes of a machine share.

    A file holds a member and its hash; one that is damaged is fetched anew. When there are more bytes than the limit,
    those that were not read for longest go. A disk that is full, or not to be written to, costs one line and the use
    of the folder, nothing else.

    Args:
        shards: where members come from.
        folder: the folder; None for one beside the weight files.
        limit_bytes: of all files together; exceeded by what is written between two looks, see `_LOOK_EVERY_S`.
    """

    def __init__(self, shards: ShardSet, folder: str | None, limit_bytes: int) -> None:
        self._shards, self._limit_bytes = shards, limit_bytes
        self._folder = Path(folder) if folder else cache_folder() / "clips"
        self._looked_s, self._written, self._broken = -_LOOK_EVERY_S, 0, False

    def read(self, ref: SampleRef, extension: str) -> bytes:
        """One member of a sample. Errors as `ShardSet.read`."""
        if self._broken:
            return self._shards.read(ref, extension)
        file = self._file(ref, extension)
        found = _read_whole(file)
        if found is not None:
            return found
        data = self._shards.read(ref, extension)
        try:
            self._keep(file, data)
        except LiaxError as error:
            self._broken = True
            say(f"clips are not kept on this machine's disk any more, and training goes on: {error}")
        return data

    def _file(self, ref: SampleRef, extension: str) -> Path:
        """Named by the shard, whose name says its content, and the place in it."""
        name = hashlib.sha256(f"{ref.tar_url}:{ref.sample.key}:{ref.sample.offsets[extension]}".encode()).hexdigest()
        return self._folder / name[:2] / name

    def _keep(self, file: Path, data: bytes) -> None:
        with local_files.beside(file) as temporary:
            temporary.write_bytes(hashlib.sha256(data).digest() + data)
            temporary.replace(file)
        self._written += len(data)
        now_s = time.monotonic()
        if now_s - self._looked_s > _LOOK_EVERY_S or self._written > self._limit_bytes * (1 - _LEAVE_SHARE):
            self._looked_s, self._written = now_s, 0
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        found: list[tuple[float, int, str]] = []
        for folder, _, names in os.walk(self._folder):
            for name in names:
                with suppress(FileNotFoundError):  # another process removed it
                    facts = Path(folder, name).stat()
                    found.append((facts.st_mtime, facts.st_size, str(Path(folder, name))))
        left = sum(size for _, size, _ in found)
        if left <= self._limit_bytes:
            return
        for _, size, name in sorted(found):
            if left <= self._limit_bytes * _LEAVE_SHARE:
                return
            local_files.remove(name)
            left -= size


def _read_whole(file: Path) -> bytes | None:
    """A file's data, noted as read now; None if there is none, or it is damaged."""
    try:
        data = file.read_bytes()
        os.utime(file)
    except OSError:
        return None
    return data[_HASH_BYTES:] if hashlib.sha256(data[_HASH_BYTES:]).digest() == data[:_HASH_BYTES] else None
