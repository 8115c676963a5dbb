"""Progress of long work: a bar on a terminal, or lines that another process can draw as a bar.

A job on a cluster has no terminal. With `LIAX_PROGRESS=json` it prints one marked line instead of a bar, and whoever
follows its log (the demo, for one) draws it. A page has no terminal either: there the work is `watched`.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Protocol, Self

from tqdm import tqdm

PROGRESS_MARK = "@progress "
SAY_MARK = "@say "
_LEAST_INTERVAL_S = 0.5


class Watcher(Protocol):
    """Who is told of work in place of the terminal. What it raises ends the work."""

    def advanced(self, label: str, done: int, total: int | None, unit: str) -> None:
        """So many units are done of that piece of work; see `Progress`."""

    def told(self, text: str) -> None:
        """A line for the user."""


_watcher: ContextVar[Watcher | None] = ContextVar("_watcher", default=None)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """What this thread does in the block is shown by the watcher, and printed nowhere."""
    before = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(before)


def as_lines() -> bool:
    """Whether progress is printed as marked lines for another process."""
    return os.environ.get("LIAX_PROGRESS") == "json"


def say(text: str) -> None:
    """Print a line for the user, above any bar; followers of a job's log see it too."""
    watcher = _watcher.get()
    if watcher is not None:
        watcher.told(text)
    elif as_lines():
        print(SAY_MARK + json.dumps(text), flush=True)
    else:
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()


class Progress:
    """How far a piece of work is.

    Args:
        total: how many units there are; None if unknown.
        label: what is being done, two or three words.
        unit: what is counted, singular, for example `video`.
    """

    def __init__(self, total: int | None, label: str, unit: str) -> None:
        self._total, self._label, self._unit = total, label, unit
        self._done = 0
        self._numbers: dict[str, float | str] = {}
        self._printed_at_s = 0.0
        self._bar: tqdm | None = None
        self._watcher = _watcher.get()

    def __enter__(self) -> Self:
        if self._watcher is not None:
            self._watcher.advanced(self._label, 0, self._total, self._unit)
        elif as_lines():
            self._print()
        else:
            self._bar = tqdm(total=self._total, desc=self._label, unit=f" {self._unit}", dynamic_ncols=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self._watcher is None:
            self._print()

    def advance(self, count: int = 1, **numbers: float | str) -> None:
        """Count `count` more units; `numbers` are shown beside the bar."""
        self._done += count
        self._numbers |= numbers
        if self._watcher is not None:
            self._watcher.advanced(self._label, self._done, self._total, self._unit)
        elif self._bar is not None:
            if numbers:
                self._bar.set_postfix(self._numbers, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._printed_at_s >= _LEAST_INTERVAL_S:
            self._print()

    def _print(self) -> None:
        self._printed_at_s = time.monotonic()
        state = {"label": self._label, "done": self._done, "total": self._total, "unit": self._unit}
        print(PROGRESS_MARK + json.dumps({**state, "numbers": self._numbers}), flush=True)
