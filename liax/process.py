"""Child processes that do not outlive their parent, even when it is killed."""

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1
"""From <linux/prctl.h>."""

WATCH_INTERVAL_S = 1.0


_LIBC = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
"""Loaded beforehand: between fork and exec another thread's lock may be held for ever, the loader's too."""


def die_with_parent() -> None:
    """For `preexec_fn`: the kernel kills the child when the thread that started it ends. Linux only, else nothing."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def watch_parent(parent: int) -> None:
    """For a Python child that any thread of the parent may have started: it kills itself when the parent is gone.

    Args:
        parent: its process id, as the parent knows it: the child may start up only after the parent's end.
    """
    threading.Thread(target=_watch, args=[parent], daemon=True, name="watch-parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_INTERVAL_S)
    os.kill(os.getpid(), signal.SIGKILL)


def ending(code: int | None) -> str:
    """How a process ended, in words, for example `was ended by SIGSEGV`.

    Args:
        code: its exit code, or minus the signal's number; None when it has not ended.
    """
    if code is None:
        return "does not end"
    if code < 0:
        known = {number.value: number.name for number in signal.Signals}
        name = known.get(-code, f"signal {-code}")
        return f"was ended by {name}{' (out of memory, perhaps)' if -code == signal.SIGKILL else ''}"
    return f"ended with exit code {code}"
