"""The files that an animator's command names: checked before anything heavy is loaded, fetched, and delivered."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from liax import storage
from liax.errors import JobError, LiaxError, UserError
from liax.progress import say

VIDEO = (".mp4",)
PICTURE = (".png", ".jpg", ".jpeg", ".webp")
MOTION = (".motion",)
NO_SOUND = "none"


def check_files(inputs: Sequence[str], outputs: Sequence[tuple[str | None, Sequence[str]]]) -> None:
    """Refuse names that cannot work.

    Args:
        inputs: files to read.
        outputs: files to write, None for one that is not wanted, each with the endings that its name may have.

    Raises:
        UserError: an input is not there; an output has another ending, lies where nothing can be written, or is an
            input or another output too.
    """
    wanted = [(url, suffixes) for url, suffixes in outputs if url is not None]
    taken = {_identity(url) for url in inputs}
    for url, suffixes in wanted:
        if Path(url).suffix.lower() not in suffixes:
            raise UserError(f"{url} cannot be written: give a name that ends in {' or '.join(suffixes)}")
        if _identity(url) in taken:
            raise UserError(f"{url} is named twice: what is read and what is written need names of their own")
        taken.add(_identity(url))
    for url in inputs:
        if not storage.exists(url):
            raise UserError(f"no such file: {url}")
    for url, _ in wanted:
        if storage.is_s3(url):
            storage.exists(url)  # refused credentials and a server that is away show now, not after the work
        else:
            _check_place(Path(url))


class Files:
    """Local paths for the files of one command, whatever their names are. A context manager.

    Outputs named `s3://…` are uploaded when the block ends, also when Ctrl-C ends it: then what was finished by that
    time is kept, and a line says how much it is. Errors name the files as the user did.
    """

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._names: dict[Path, str] = {}
        self._outputs: dict[Path, tuple[int, int] | None] = {}
        return self

    def read(self, url: str) -> Path:
        """A file to read. Raises UserError if it is not there."""
        local = self._stack.enter_context(storage.local_copy(url))
        self._names[local] = url
        return local

    def picture(self, url: str) -> Path:
        """A picture to read. Raises UserError if it is none."""
        from liax.pictures import load_picture

        local = self.read(url)
        load_picture(local)
        return local

    def video(self, url: str) -> Path:
        """A video to read. Raises UserError if it is none."""
        from liax.inference.driving import open_footage

        local = self.read(url)
        open_footage(local, finder=None)
        return local

    def sound(self, choice: str | None, own: str) -> str | Path | None:
        """What `--audio` means to an animator: the word `own`, None, or a file, which must have sound."""
        if choice is None or choice == own:
            return choice
        if choice == NO_SOUND:
            return None
        from liax.video.sound import check_sound

        local = self.read(choice)
        check_sound(local)
        return local

    def write(self, url: str) -> Path:
        """A file to write; nothing is delivered if it is not there in the end."""
        local = Path(url)
        if storage.is_s3(url):
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="liax-"))
            local = Path(folder, Path(url).name)
        self._names[local], self._outputs[local] = url, _stamp(local)
        return local

    def write_optional(self, url: str | None) -> Path | None:
        """As `write`, for a file that may not be wanted."""
        return None if url is None else self.write(url)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is None or isinstance(error, KeyboardInterrupt):
                self._deliver(interrupted=error is not None)
            elif isinstance(error, LiaxError):
                self._rename(error)

    def _deliver(self, interrupted: bool) -> None:
        for local, before in self._outputs.items():
            if _stamp(local) in (None, before):
                continue  # not there, or still the file that was there before
            url = self._names[local]
            if storage.is_s3(url):
                storage.upload(local, url)
            if interrupted and local.suffix.lower() in VIDEO:
                from liax.video.probe import frame_table

                say(f"{url}: only its first {len(frame_table(local)[0])} frames")

    def _rename(self, error: LiaxError) -> None:
        text = str(error)
        for local, url in self._names.items():
            if storage.is_s3(url):
                text = text.replace(str(local), url)
        if text != str(error):
            raise (UserError if error.exit_code == UserError.exit_code else JobError)(text) from None


def _identity(url: str) -> str:
    return url if storage.is_s3(url) else str(Path(url).resolve())


def _stamp(path: Path) -> tuple[int, int] | None:
    """What changes when a file is replaced; None where there is none."""
    if not path.is_file():
        return None
    state = path.stat()
    return state.st_ino, state.st_mtime_ns


def _check_place(path: Path) -> None:
    """Raise UserError unless a file of this name can be made; its folders need not be there yet."""
    if path.is_dir():
        raise UserError(f"{path} cannot be written: it is a folder")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        # A try, because permission bits say nothing about read-only disks, or to an administrator.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{path} cannot be written: nothing can be made in {folder} ({error.strerror})") from None
