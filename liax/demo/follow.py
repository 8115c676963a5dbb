"""Draws the progress of a job that runs elsewhere, from the marked lines in its log (see `liax.progress`)."""

import json
import sys
import threading
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

from liax.progress import PROGRESS_MARK, SAY_MARK

_TICK_S = 0.5


class Follower:
    """Shows one step of the demo: a clock while nothing is known, then the job's own bars.

    Use as a context manager, and `feed` it the job's log as it comes. On a stream that is no terminal only the
    beginning, the end and the job's own sentences are printed.

    Args:
        title: the step, for example `2/5 find faces`.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._rest = ""
        self._bars: dict[str, tqdm] = {}
        self._stopped = threading.Event()
        self._terminal = sys.stderr.isatty()
        self.error = ""
        """The job's own last error line, without `error: `."""

    def __enter__(self) -> Self:
        self._started_s = time.monotonic()
        if self._terminal:
            self._clock = tqdm(total=None, bar_format="{desc}", position=0, leave=False)
            threading.Thread(target=self._tick, daemon=True).start()
        else:
            print(f"{self._title} …", flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        for bar in self._bars.values():
            bar.close()
        if self._terminal:
            self._clock.close()
        mark = "✓" if error is None else "✗"
        print(f"{mark} {self._title}  {time.monotonic() - self._started_s:.0f} s", flush=True)

    def feed(self, text: str) -> None:
        """Take the next piece of the log, which may end in the middle of a line."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.startswith(PROGRESS_MARK):
                self._draw(json.loads(line.removeprefix(PROGRESS_MARK)))
            elif line.startswith(SAY_MARK):
                tqdm.write("  " + str(json.loads(line.removeprefix(SAY_MARK))).replace("\n", "\n  "), file=sys.stdout)
                sys.stdout.flush()
            elif line.startswith("error: "):
                self.error = line.removeprefix("error: ")

    def _draw(self, state: dict) -> None:
        if not self._terminal:
            return
        label = state["label"]
        if label not in self._bars:
            for bar in self._bars.values():
                bar.close()
            self._bars[label] = tqdm(
                total=state["total"], desc=f"  {label}", unit=f" {state['unit']}", position=1, leave=False
            )
        bar = self._bars[label]
        bar.set_postfix(state["numbers"], refresh=False)
        bar.update(state["done"] - bar.n)

    def _tick(self) -> None:
        while not self._stopped.wait(_TICK_S):
            self._clock.set_description_str(f"… {self._title}  {time.monotonic() - self._started_s:.0f} s")
