"""Local files, written whole or not at all; what the system says of them becomes one of the project's errors."""

import ctypes
import errno
import fcntl
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from liax.errors import LiaxError, NoFileError, NoPermissionError, StorageError, UserError

_UNFINISHED = ".part"
"""How the names of files end that are being written; they begin with a dot."""

_NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL, errno.EACCES)
"""What file systems without hard links (exFAT, SMB, many in user space) say to one."""

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None
_AT_FDCWD, _RENAME_NOREPLACE = -100, 1
"""From <fcntl.h> and <linux/fs.h>."""


def find(name: str) -> Path:
    """The path of a file that is there.

    Raises:
        NoFileError: the folder is there, but no file of that name in it.
        NoPermissionError: nobody may look.
        UserError: the folder is not there either.
        StorageError: the file system failed.
    """
    try:
        if stat.S_ISREG(Path(name).stat().st_mode):
            return Path(name)
    except ValueError:  # a null in the name
        pass
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise _read_error(name, error) from None
        if not Path(os.path.realpath(name)).parent.is_dir():  # where a link leads to, too
            raise UserError(f"no such file: {name} (nor its folder)") from None
    raise NoFileError(f"no such file: {name}")


def read(name: str, start: int = 0, length: int | None = None) -> bytes:
    """A file's bytes from `start`, `length` of them or up to the end. Errors as `find`."""
    path = find(name)
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(-1 if length is None else length)
    except OSError as error:
        raise _read_error(name, error) from None


def _read_error(name: str, error: OSError) -> LiaxError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return NoPermissionError(f"no permission to read {name}")
    if error.errno in _NOT_THERE:  # removed meanwhile
        return NoFileError(f"no such file: {name}")
    return StorageError(f"cannot read {name}: {error.strerror}")


def list_all(name: str) -> list[str]:
    """All files under a folder, without those that are still being written; a file's own name gives that file.

    Raises:
        NoFileError: nothing is there.
        UserError: a folder may not be listed.
    """
    if os.path.isdir(name):  # noqa: PTH112 - Path.is_dir raises where a folder above may not be entered
        # Links to folders are not followed, so a loop of links cannot hold the listing.
        walk = os.walk(name, onerror=_unlisted)
        return [str(Path(folder) / file) for folder, _, files in walk for file in files if not _is_unfinished(file)]
    if os.path.exists(name):  # noqa: PTH110 - as above
        return [name]
    raise NoFileError(f"no such file or folder: {name}")


def _unlisted(error: OSError) -> None:
    """Without this, `os.walk` leaves out what it may not list, and its files would vanish without a word."""
    if not isinstance(error, FileNotFoundError):  # removed meanwhile
        raise UserError(f"cannot list the folder {error.filename}: {error.strerror}") from None


def _is_unfinished(file: str) -> bool:
    return file.startswith(".") and file.endswith(_UNFINISHED)


def make_folder(name: str) -> None:
    """Make a folder with its parents."""
    try:
        Path(name).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{name} cannot be a folder: a file is in its place") from None
    except OSError as error:
        raise _write_error(f"cannot make the folder {name}", error) from None


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A temporary name in the same folder, so that a rename or link is atomic; removed if still there at the end.

    Raises:
        UserError: the folder may not be written to.
        StorageError: writing failed, inside the block too: the disk is full, for example.
    """
    make_folder(str(path.parent))
    try:
        handle, name = _locked_file(path)
    except OSError as error:
        raise _write_error(f"cannot write to the folder {path.parent}", error) from None
    try:
        os.fchmod(handle, 0o644)
        yield Path(name)
    except OSError as error:
        raise _write_error(f"cannot write {path}", error) from None
    finally:
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)
        os.close(handle)


def _locked_file(path: Path) -> tuple[int, str]:
    """A temporary file with a lock that says that its writer lives, see `remove_unfinished`."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=_UNFINISHED)
        with suppress(OSError):  # a file system without locks; nothing is then removed for want of one
            fcntl.flock(handle, fcntl.LOCK_EX)
        if Path(name).exists():  # else it was taken for a dead writer's before it had its lock
            return handle, name
        os.close(handle)


def _write_error(what: str, error: OSError) -> LiaxError:
    refused = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
    return (UserError if refused else StorageError)(f"{what}: {error.strerror}")


def create(name: str, data: bytes) -> bool:
    """Write a file only if there is none of that name; of several writers exactly one gets True."""
    with beside(Path(name)) as temporary:
        temporary.write_bytes(data)
        try:
            _take_name(temporary, name)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return _create_in_place(name, data)
        return True


def _take_name(temporary: Path, name: str) -> None:
    """Give a file its name. Raises FileExistsError if the name is taken, and another OSError where that cannot be."""
    try:
        os.link(temporary, name)  # unlike a rename, fails if the name is taken
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS or _LIBC is None:
            raise
        paths = (_AT_FDCWD, os.fsencode(temporary), _AT_FDCWD, os.fsencode(name))
        if _LIBC.renameat2(*paths, _RENAME_NOREPLACE) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno())) from None


def _create_in_place(name: str, data: bytes) -> bool:
    """The last resort. Of several writers one creates, but others may see half, and a kill in the middle leaves it."""
    try:
        with Path(name).open("xb") as file:
            try:
                file.write(data)
                file.flush()
            except OSError:
                Path(name).unlink(missing_ok=True)
                raise
    except FileExistsError:
        return False
    return True


def remove(name: str) -> None:
    """Remove a file; no error if it is gone already."""
    try:
        Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise _write_error(f"cannot remove {name}", error) from None


def remove_unfinished(folder: str) -> None:
    """Remove what killed writers left half written, anywhere under a folder. What a living one writes is left alone."""
    for name in Path(folder).rglob(f".*{_UNFINISHED}"):
        with suppress(OSError), name.open("rb") as file:  # its writer lives, or it is gone already
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            name.unlink()
