"""Native code at arm's length: a stage's work in a child process with a time limit, tried again, then given up.

ffmpeg's and MediaPipe's libraries can crash or hang on a hostile video. In a child process that costs one attempt at
one item; in the worker itself it would cost the worker, and the job would meet the same video again and again.
"""

import fcntl
import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from liax.config import Config
from liax.process import watch_parent

FOLDER_PREFIX = "liax-child-"


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

    Whatever the worker raises is raised here. The child's temporary files lie in a folder of its own, which is removed
    with it, however it ends.

    Args:
        make: makes the worker, in the child; importable by name.
        args: its arguments; they and every item and result must be picklable.
        attempts: how often an item is tried whose process dies or hangs.
    """

    def __init__(self, make: Callable[..., Worker], args: tuple[Any, ...], attempts: int) -> None:
        self._make, self._args, self._attempts = make, args, attempts
        self._pool: Any = None
        _sweep_folders()
        self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
        self._lock = (self._folder / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def __call__(self, *item: Any, time_limit_s: float) -> Any:
        """Do one piece of work.

        Args:
            item: the worker's arguments.
            time_limit_s: of one attempt.

        Raises:
            GivenUp: every attempt died or hung.
        """
        from pebble import ProcessExpired

        reason = detail = ""
        for _ in range(self._attempts):
            task = self._running_pool().schedule(_call, args=[self._make, self._args, item], timeout=time_limit_s)
            try:
                return task.result()
            except TimeoutError:
                reason, detail = "timed_out", f"no result after {time_limit_s:.0f} s"
            except ProcessExpired as error:
                reason, detail = "crashed", _end_of(error.exitcode)
            self._clear()
        raise GivenUp(reason, detail, self._attempts)

    def close(self) -> None:
        """End the child and remove its files."""
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()

    def _running_pool(self) -> Any:
        if self._pool is None:
            import multiprocessing

            from pebble import ProcessPool

            # Not a fork: Ray's worker has threads, and MediaPipe must not be inherited.
            self._pool = ProcessPool(
                max_workers=1,
                initializer=_start,
                initargs=[str(self._folder)],
                context=multiprocessing.get_context("spawn"),
            )
        return self._pool

    def _clear(self) -> None:
        """Remove what a dead child left behind."""
        for left in self._folder.iterdir():
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            elif left.name != "lock":
                left.unlink(missing_ok=True)


def _end_of(exitcode: int | None) -> str:
    """How a process ended, in words."""
    if exitcode is not None and exitcode < 0:
        name = signal.Signals(-exitcode).name
        return f"its process was ended by {name}{' (out of memory, perhaps)' if name == 'SIGKILL' else ''}"
    return f"its process ended with exit code {exitcode}"


def _sweep_folders() -> None:
    """Remove the folders of workers that were killed: nobody holds their locks any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        try:
            with (folder / "lock").open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # in use, just being made, another user's, or already gone
            continue


_worker: Worker | None = None
"""The child's worker."""


def _start(folder: str) -> None:
    """In the child, first of all."""
    watch_parent()
    tempfile.tempdir = folder
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to answer


def _call(make: Callable[..., Worker], args: tuple[Any, ...], item: tuple[Any, ...]) -> Any:
    """In the child: one piece of work."""
    global _worker
    if _worker is None:
        _worker = make(*args)
    return _worker(*item)
