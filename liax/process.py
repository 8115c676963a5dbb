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


def die_with_parent() -> None:
    """For `preexec_fn`: the kernel kills the child when the thread that started it ends. Linux only, else nothing."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def watch_parent() -> None:
    """For a Python child that any thread of the parent may have started: it kills itself when the parent is gone."""
    threading.Thread(target=_watch, args=[os.getppid()], daemon=True, name="watch-parent").start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH_INTERVAL_S)
    os.kill(os.getpid(), signal.SIGKILL)
