"""Native code at arm's length: a stage's work in a child process with a time limit, tried again, then given up.

ffmpeg's and MediaPipe's libraries can crash or hang on a hostile video. In a child process that costs one attempt at
one item; in the worker itself it would cost the worker, and the job would meet the same video again and again.

Items and answers go by files, and over the pipe only a byte that says "ready": a process that dies or stops in the
middle of a large answer cannot keep the parent reading.
"""

import fcntl
import multiprocessing
import os
import pickle
import shutil
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, Protocol

from pydantic import Field

from liax.config import Config
from liax.errors import ProcessDied
from liax.process import ending, watch_parent

FOLDER_PREFIX = "liax-child-"

UNLOCKED_PREFIX = "liax-making-"
"""Of a folder that is not locked yet, so that nobody takes it for one that was left behind."""

ITEM, ANSWER, LOCK = "item", "answer", "lock"
"""The files in a child's folder that are not the worker's."""

ENDING_LIMIT_S = 10.0
"""How long a killed process is waited for. The kernel may keep one that waits for a disk; it is then left behind."""


class WorkConfig(Config):
    """How the work is done. None of it changes what comes out, save for videos that crash or hang."""

    attempts: int = Field(default=3, ge=1, le=100)
    """How often a piece of work is tried whose process dies or hangs. Then its video is set aside, with that reason."""
    probe_time_limit_s: float = Field(default=1800.0, gt=0)
    """Time that probing one video may take; fetching and reading all of its bytes counts."""
    least_time_limit_s: float = Field(default=180.0, gt=0)
    """Time that any other piece of work may take; starting a process and loading its models count."""
    time_limit_factor: float = Field(default=12.0, gt=0)
    """Time beyond that, per second of video and face."""
    probe_memory_bytes: int = Field(default=512 * 1024 * 1024, gt=0)
    """What Ray reserves for a worker that probes, with its child process."""
    pack_memory_bytes: int = Field(default=512 * 1024 * 1024, gt=0)
    """What Ray reserves for a worker that packs: one clip at a time is in memory."""
    faces_memory_bytes: int = Field(default=1536 * 1024 * 1024, gt=0)
    """What Ray reserves for a worker that finds faces; `python -m benchmarks.preprocess_memory` measures it."""
    clips_memory_bytes: int = Field(default=1536 * 1024 * 1024, gt=0)
    """The same for a worker that makes clips."""

    def time_limit_s(self, video_s: float) -> float:
        """How long work on so many seconds of video may take."""
        return self.least_time_limit_s + self.time_limit_factor * video_s


class GivenUp(Exception):  # noqa: N818 - an outcome with a reason, not a fault
    """A piece of work whose process died or hung at every attempt.

    Args:
        reason: `crashed` or `timed_out`.
        detail: how, for people.
        attempts: how often it was tried.
    """

    def __init__(self, reason: str, detail: str, attempts: int) -> None:
        super().__init__(reason, detail, attempts)
        self.reason, self.detail, self.attempts = reason, detail, attempts


class Worker(Protocol):
    """What does the work in the child: made once there, called for every item."""

    def __call__(self, *item: Any) -> Any:
        """Do one piece of work."""


class Contained:
    """Calls a worker that lives in a child process.

    Whatever the worker raises is raised here, except ProcessDied, which costs an attempt. The child's temporary files
    lie in a folder of its own. It goes with this object, or when that could not happen because this process was
    killed, with the next such object that is made on the machine.

    Args:
        make: makes the worker, in the child; importable by name.
        args: its arguments; they and every item and answer must be picklable.
        attempts: how often an item is tried whose process dies or hangs.
    """

    attempts = 0
    """How often the last item was tried, whatever became of it."""

    def __init__(self, make: Callable[..., Worker], args: tuple[Any, ...], attempts: int) -> None:
        self._make, self._args, self._most_attempts = make, args, attempts
        self._child: tuple[multiprocessing.process.BaseProcess, Connection] | None = None
        _sweep_folders()
        self._folder, self._lock = _make_folder()

    def __call__(self, *item: Any, time_limit_s: float) -> Any:
        """Do one piece of work.

        Args:
            item: the worker's arguments.
            time_limit_s: of one attempt.

        Raises:
            GivenUp: every attempt died or hung.
        """
        reason = detail = ""
        self.attempts = 0
        while self.attempts < self._most_attempts:
            self.attempts += 1
            try:
                return self._attempt(item, time_limit_s)
            except _TookTooLong:
                reason, detail = "timed_out", f"no result after {time_limit_s:.0f} s"
            except ProcessDied as error:
                reason, detail = "crashed", str(error)
        raise GivenUp(reason, detail, self.attempts)

    def close(self) -> None:
        """End the child and remove its files."""
        self._end_child()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()

    def __del__(self) -> None:
        # Ray drops a stage's objects when its actor ends well; a Ray worker runs no exit handlers.
        if hasattr(self, "_lock"):
            self.close()

    def _attempt(self, item: tuple[Any, ...], time_limit_s: float) -> Any:
        """Have the child do it. A child that does not answer in time and in full is not used again.

        Raises:
            ProcessDied: the child died, or the worker says that a process of its own did.
            _TookTooLong: it did not answer.
        """
        if self._child is not None and not self._child[0].is_alive():  # killed while idle: not this item's doing
            self._end_child()
        error, answer = None, None
        answered = False
        try:
            _write(self._folder / ITEM, (self._make, self._args, item))
            self._ask(time_limit_s)
            error, answer = _read(self._folder / ANSWER)
            answered = not isinstance(error, ProcessDied)
        finally:
            if not answered:
                self._end_child()
        if error is not None:
            raise error
        return answer

    def _ask(self, time_limit_s: float) -> None:
        """Tell the child that an item lies ready, and wait for its answer to lie ready."""
        if self._child is None:
            self._child = _start_child(self._folder)
        process, connection = self._child
        try:
            connection.send_bytes(b"?")
            if not connection.poll(time_limit_s):  # true as well when the child is gone, whose end closes with it
                raise _TookTooLong
            connection.recv_bytes()
        except (EOFError, ConnectionError):
            process.join(ENDING_LIMIT_S)
            raise ProcessDied(f"its process {ending(process.exitcode)}") from None

    def _end_child(self) -> None:
        """End the child, if there is one, and remove what it left behind."""
        if self._child is not None:
            process, connection = self._child
            self._child = None
            process.kill()
            process.join(ENDING_LIMIT_S)
            connection.close()
        for left in self._folder.glob("*"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            elif left.name != LOCK:
                left.unlink(missing_ok=True)


class _TookTooLong(Exception):  # noqa: N818 - caught here
    """No answer within the time limit."""


def _start_child(folder: Path) -> tuple[multiprocessing.process.BaseProcess, Connection]:
    # Not a fork: Ray's worker has threads, and MediaPipe must not be inherited.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    # Few arguments: a child that dies before it has read them must not keep us writing.
    process = context.Process(target=_serve, args=(theirs, str(folder), os.getpid()), daemon=True)
    process.start()
    theirs.close()  # so that the child's is the only one, and its death is seen
    return process, ours


@contextmanager
def swept_folder() -> Iterator[Path]:
    """A temporary folder that is removed also when this process is killed: by the next one that needs such a folder."""
    _sweep_folders()
    folder, lock = _make_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _make_folder() -> tuple[Path, IO[str]]:
    """A locked folder: its name, and the lock, which is held as long as it is open."""
    made = Path(tempfile.mkdtemp(prefix=UNLOCKED_PREFIX))
    lock = (made / LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return made.rename(made.with_name(made.name.replace(UNLOCKED_PREFIX, FOLDER_PREFIX))), lock


def _sweep_folders() -> None:
    """Remove the folders of workers that were killed: nobody holds their locks any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        try:
            with (folder / LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # in use, another user's, or already gone
            continue


def _write(path: Path, content: Any) -> None:
    with path.open("wb") as file:
        pickle.dump(content, file)


def _read(path: Path) -> Any:
    """What the other of the two processes wrote; the file is removed."""
    with path.open("rb") as file:
        path.unlink()
        return pickle.load(file)  # noqa: S301 - from our own process, in a folder that only we may enter


def _serve(connection: Connection, folder: str, parent: int) -> None:
    """In the child: make the worker, and do one piece of work after the other until the parent hangs up."""
    watch_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to answer
    tempfile.tempdir = folder
    worker: Worker | None = None
    while True:
        try:
            connection.recv_bytes()
        except (EOFError, ConnectionError):
            return
        try:
            make, args, item = _read(Path(folder, ITEM))
            worker = worker or make(*args)
            _write(Path(folder, ANSWER), (None, worker(*item)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
            _write(Path(folder, ANSWER), (_portable(error), None))
        connection.send_bytes(b"!")


def _portable(error: Exception) -> Exception:
    """An error as it can be sent, with a note of where it happened."""
    where = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - just made here
    except (pickle.PickleError, TypeError, AttributeError):
        return RuntimeError(where)
    error.add_note(where)
    return error
