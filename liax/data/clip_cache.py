"""Clips on this machine's own disk, so that a shard set on S3 is fetched once and not once an epoch."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from liax import local_files
from liax.data.clip_table import ClipPlace, ClipReader
from liax.errors import LiaxError
from liax.progress import say
from liax.weights import cache_folder

_HASH_BYTES = hashlib.sha256().digest_size
_LEAVE_SHARE = 0.9
"""What is left of the limit when clips were removed, so that not every clip removes another."""
_ACCOUNT, _ACCOUNT_BYTES = "bytes", 20
"""Name of the file that says how many bytes the folder's clips have, and its own largest size."""


class ClipCache:
    """Reads clips by way of a folder that all processes of a machine share.

    A file holds a clip and its hash; one that is damaged is fetched anew. A new clip goes in only when there is room
    for it; to make room, those that were not read for longest go. A disk that is full, or not to be written to, costs
    one line and the use of the folder, nothing else.

    Args:
        reader: where clips come from.
        folder: the folder; None for one beside the weight files.
        limit_bytes: of all files together, whichever process wrote them.
    """

    def __init__(self, reader: ClipReader, folder: str | None, limit_bytes: int) -> None:
        self._reader, self._limit_bytes = reader, limit_bytes
        self._folder = Path(folder) if folder else cache_folder() / "clips"
        self._broken = False

    def read(self, clip: ClipPlace) -> bytes:
        """A clip's video. Errors are the reader's."""
        if self._broken:
            return self._reader.read(clip)
        file = self._file(clip)
        found = _read_whole(file)
        if found is not None:
            return found
        data = self._reader.read(clip)
        try:
            self._keep(file, data)
        except LiaxError as error:
            self._broken = True
            say(f"clips are not kept on this machine's disk any more, and training goes on: {error}")
        return data

    def _file(self, clip: ClipPlace) -> Path:
        """Named by the shard, whose name says its content, and the place in it."""
        name = hashlib.sha256(f"{clip.tar_url}:{clip.start}:{clip.length}".encode()).hexdigest()
        return self._folder / name[:2] / name

    def _keep(self, file: Path, data: bytes) -> None:
        """Write a clip, and remove others where the limit asks for it.

        One process at a time does so, or two could take the same room. The account is never too low: a clip that takes
        the place of a damaged one, or whose writer was killed, is counted until the next look, which corrects it.
        """
        size = _HASH_BYTES + len(data)
        if size > self._limit_bytes:
            return
        with local_files.beside(file) as temporary, _locked(self._folder / _ACCOUNT) as account:
            kept = _number(os.pread(account, _ACCOUNT_BYTES, 0))
            if kept is None or kept + size > self._limit_bytes:
                kept = self._remove_oldest(self._limit_bytes - size)
            os.ftruncate(account, 0)
            os.pwrite(account, str(kept + size).encode(), 0)
            temporary.write_bytes(hashlib.sha256(data).digest() + data)
            temporary.replace(file)

    def _remove_oldest(self, most: int) -> int:
        """Remove what is more than `most` bytes, and some on top; return how many are left."""
        local_files.remove_unfinished(str(self._folder))
        found: list[tuple[float, int, str]] = []
        for folder, _, names in os.walk(self._folder):
            for name in names:
                if name == _ACCOUNT:
                    continue
                with suppress(FileNotFoundError):  # another process removed it
                    facts = Path(folder, name).stat()
                    found.append((facts.st_mtime, facts.st_size, str(Path(folder, name))))
        left = sum(size for _, size, _ in found)
        if left <= most:
            return left
        for _, size, name in sorted(found):
            if left <= most * _LEAVE_SHARE:
                break
            local_files.remove(name)
            left -= size
        return left


@contextmanager
def _locked(file: Path) -> Iterator[int]:
    """A file's descriptor, for one process of the machine at a time."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None


def _read_whole(file: Path) -> bytes | None:
    """A file's data, noted as read now; None if there is none, or it is damaged."""
    try:
        data = file.read_bytes()
        os.utime(file)
    except OSError:
        return None
    return data[_HASH_BYTES:] if hashlib.sha256(data[_HASH_BYTES:]).digest() == data[:_HASH_BYTES] else None
