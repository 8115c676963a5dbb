"""One piece of long work for a visitor: how far it is, what it said, and its end when it is cancelled or too long."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from liax.errors import LiaxError, UserError

LEAST_INTERVAL_S = 0.25
"""Between two messages to the page."""
MOST_WAITING_EACH = 2
"""How many works of one visitor may wait. Our choice: three parts of the page make something, one at a time."""


class Cancelled(LiaxError):  # noqa: N818 - a wish, nobody's fault
    """The visitor does not want it any more."""


@dataclass(frozen=True, slots=True)
class Stand:
    """How far the work is: its text, and the share that is done, None where nobody knows."""

    text: str
    share: float | None


class Work:
    """Watches what a thread does (see `liax.progress.watched`).

    Args:
        show: told how far it is, now and then.
        longest_s: it may take so long.
        most_frames: a video may have so many; more than its file said is no longer what was allowed.
    """

    def __init__(self, show: Callable[[Stand], None], longest_s: float, most_frames: int | None = None) -> None:
        self._show, self._longest_s, self.most_frames = show, longest_s, most_frames
        self._cancelled = threading.Event()
        self._begun_s = self._piece_begun_s = time.monotonic()
        self._shown_s = 0.0
        self._label = ""
        self.notes: list[str] = []

    def cancel(self) -> None:
        """End it at its next step."""
        self._cancelled.set()

    def wait(self, before: int) -> None:
        """A moment in which as many others come first; it does not count. Raises Cancelled: the visitor said so."""
        self._show(Stand(f"waiting for {before} other{'s' if before > 1 else ''}", None))
        if self._cancelled.wait(LEAST_INTERVAL_S):
            raise Cancelled("cancelled")
        self._begun_s = time.monotonic()

    def told(self, text: str) -> None:
        """See `liax.progress.Watcher`."""
        if text not in self.notes:
            self.notes.append(text)

    def advanced(self, label: str, done: int, total: int | None, unit: str) -> None:
        """See `liax.progress.Watcher`.

        Raises:
            Cancelled: the visitor said so.
            UserError: it takes too long, or has too many frames.
        """
        now_s = time.monotonic()
        if self._cancelled.is_set():
            raise Cancelled("cancelled")
        if now_s - self._begun_s > self._longest_s:
            raise UserError(f"this took longer than {self._longest_s / 60:g} minutes: give a shorter video")
        if unit == "frame" and self.most_frames is not None and done > self.most_frames:
            raise UserError(f"the video has more frames than its file says ({done}): give another file")
        if label != self._label:
            self._label, self._piece_begun_s, self._shown_s = label, now_s, 0.0
        if now_s - self._shown_s >= LEAST_INTERVAL_S:
            self._shown_s = now_s
            self._show(stand(label, done, total, unit, now_s - self._piece_begun_s))


class Line:
    """Whose turn it is: works are done one at a time, in the order in which they came.

    Args:
        most: how many may wait, of all visitors together.
        most_each: how many of one visitor.
    """

    def __init__(self, most: int, most_each: int = MOST_WAITING_EACH) -> None:
        self._most, self._most_each = most, most_each
        self._works: list[tuple[object, Work]] = []
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, visitor: object, work: Work) -> Iterator[None]:
        """The block runs when all who came before are done. Raises UserError if too many wait, or Cancelled."""
        with self._lock:
            waiting = [one for one, _ in self._works[1:]]
            if self._works and len(waiting) >= self._most:
                raise UserError("too many are waiting for their turn: try again in some minutes")
            if waiting.count(visitor) >= self._most_each:
                raise UserError(f"{self._most_each} of your works are waiting already: wait for them, or cancel one")
            self._works.append((visitor, work))
        try:
            while before := self._before(work):
                work.wait(before)
            yield
        finally:
            with self._lock:
                self._works = [one for one in self._works if one[1] is not work]

    def _before(self, work: Work) -> int:
        with self._lock:
            return next(place for place, (_, one) in enumerate(self._works) if one is work)


def stand(label: str, done: int, total: int | None, unit: str, elapsed_s: float) -> Stand:
    """`animate: 42 of 100 frames, 7.3 frames/s`, and 0.42."""
    counted = f"{done} of {total} {unit}s" if total else f"{done} {unit}s"
    rate = f", {done / elapsed_s:.1f} {unit}s/s" if done and elapsed_s > 0 else ""
    return Stand(f"{label}: {counted}{rate}", min(done / total, 1.0) if total else None)
