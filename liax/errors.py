"""The errors a user sees, and the one place that turns them into a line on stderr and an exit code."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path


class LiaxError(Exception):
    """An error whose text is for the user: one line that says what was wrong, where, and what to do."""

    exit_code = 1


class UserError(LiaxError):
    """Wrong usage: a bad option, a missing file, an output that belongs to another run. Nothing was started."""

    exit_code = 2


class NoFileError(UserError):
    """There is no such file, and that is sure: the folder or bucket where it would be is there."""


class NoPermissionError(UserError):
    """A local file that may not be read."""


class JobError(LiaxError):
    """A job was started correctly and failed."""


class StorageError(LiaxError):
    """The storage could not be reached, or failed: the same again may work."""


class ProcessDied(LiaxError):  # noqa: N818 - an ending, which may be nobody's fault
    """A process was killed, by the system for want of memory or by its own crash: the same again may work."""


class VideoError(LiaxError):
    """A video that cannot be used.

    Args:
        path: the video, as the user named it.
        reason: a short name that is counted in reports, for example `unreadable`.
        detail: what the decoder said, if anything.
    """

    def __init__(self, path: str | Path, reason: str, detail: str = "") -> None:
        # All three are passed on, so that the error survives the pickling between Ray's processes.
        super().__init__(str(path), reason, detail)
        self.path, self.reason, self.detail = str(path), reason, detail

    def __str__(self) -> str:
        return f"{self.path}: {self.reason.replace('_', ' ')}" + (f" ({self.detail})" if self.detail else "")


def run_main(function: Callable[[Sequence[str]], int | None], argv: Sequence[str] | None = None) -> int:
    """Call a command's function and return its exit code: 0, 1 for a failed job, 2 for wrong usage, 130 for Ctrl-C."""
    try:
        return function(sys.argv[1:] if argv is None else argv) or 0
    except LiaxError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        return 130
