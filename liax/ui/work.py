"""One piece of long work for a visitor: how far it is, what it said, and its end when it is cancelled or too long."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from liax.errors import LiaxError, UserError

LEAST_INTERVAL_S = 0.25
"""Between two messages to the page."""


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
        self._cancelled = False
        self._begun_s = self._piece_begun_s = time.monotonic()
        self._shown_s = 0.0
        self._label = ""
        self.notes: list[str] = []

    def cancel(self) -> None:
        """End it at its next step."""
        self._cancelled = True

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
        if self._cancelled:
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


def stand(label: str, done: int, total: int | None, unit: str, elapsed_s: float) -> Stand:
    """`animate: 42 of 100 frames, 7.3 frames/s`, and 0.42."""
    counted = f"{done} of {total} {unit}s" if total else f"{done} {unit}s"
    rate = f", {done / elapsed_s:.1f} {unit}s/s" if done and elapsed_s > 0 else ""
    return Stand(f"{label}: {counted}{rate}", min(done / total, 1.0) if total else None)
