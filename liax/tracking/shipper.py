"""The process that ships a training's files to MLflow: `python -m liax.tracking.shipper`, see `liax.tracking.shipping`.

It is the only process of a training that loads MLflow. On its input comes one word when the training has ended, and the
end of that input without one says that the training's starter is dead. On its output go lines of JSON. It may hang or
be killed at any moment: whatever it ships, it ships once (`liax.tracking.training_run`).
"""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import get_args

from liax.errors import run_main
from liax.tracking.address import tracking_uri
from liax.tracking.client import failure_of
from liax.tracking.note import Ending
from liax.tracking.shipping import GAVE_UP
from liax.tracking.training_run import TrainingRun

_INTERVAL_S, _LONGEST_INTERVAL_S = 5.0, 60.0
"""Between two looks at the files, and the most between two tries while MLflow fails."""
_LAST_TRIES, _LAST_INTERVAL_S = 3, 1.0
"""Once the training has ended. Together with MLflow's own time limit they bound the end against a dead server."""


class _Orders:
    """What comes on the input: how the training ended.

    Args:
        leave_s: so long after that this process ends, wherever it hangs; None for no limit.
    """

    def __init__(self, leave_s: float | None) -> None:
        self.ended: Ending = "FAILED"
        self._leave_s = leave_s
        self._told = threading.Event()
        threading.Thread(target=self._listen, daemon=True, name="listen").start()

    def wait(self, seconds: float) -> bool:
        """Whether the training has ended, at the latest after so many seconds."""
        return self._told.wait(seconds)

    def _listen(self) -> None:
        word = sys.stdin.readline().strip()
        if not word:  # the starter is dead, and MLflow must not stumble over prints that nobody reads
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.dup2(nowhere, sys.stderr.fileno())
        for ending in get_args(Ending):
            if word == ending:
                self.ended = ending
        self._told.set()
        if self._leave_s is not None:
            time.sleep(self._leave_s)
            _tell(missed="it takes too long")
            os._exit(GAVE_UP)  # the main thread hangs in MLflow


class _Shipper:
    """Ships, and on any failure forgets what it knew: the next try asks MLflow how far it is."""

    def __init__(self, output: str, uri: str) -> None:
        self._output, self._uri = output, uri
        self._run: TrainingRun | None = None

    def ship(self, ended: Ending | None = None) -> bool:
        """Ship what is new, and the training's end if it has ended. Tells, and returns False, if that fails."""
        missed = failure_of(lambda: self._ship(ended))
        if missed is not None:
            self._run = None
            _tell(missed=missed)
        return missed is None

    def _ship(self, ended: Ending | None) -> None:
        if self._run is None:
            self._run = TrainingRun(self._output, self._uri)
            self._run.mark_running()
            _tell(step=self._run.step)
        self._run.ship(lambda step: _tell(step=step))
        if ended is not None:
            self._run.close(ended)
        self._run.ship_files()


def _ship_until_the_end(shipper: _Shipper, orders: _Orders) -> bool:
    """Ship what comes until the training has ended, and then the rest. Returns whether that was everything."""
    interval_s = 0.0
    while not orders.wait(interval_s):
        interval_s = _INTERVAL_S if shipper.ship() else min(2 * max(interval_s, _INTERVAL_S), _LONGEST_INTERVAL_S)
    for _ in range(_LAST_TRIES - 1):
        if shipper.ship(orders.ended):
            return True
        time.sleep(_LAST_INTERVAL_S)
    return shipper.ship(orders.ended)


def _tell(**values: float | str) -> None:
    with suppress(BrokenPipeError):  # the starter has just died, and this process still has something to do
        print(json.dumps(values), flush=True)


def _step_back() -> None:
    """Leave the processor and, should memory run out, the right to live to the training."""
    os.nice(10)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def run(argv: Sequence[str]) -> int:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("output")
    parser.add_argument("--uri", required=True)
    parser.add_argument("--leave-s", type=float, help="after the training's end")
    options = parser.parse_args(argv)
    _step_back()
    # One try of a request is enough: this process tries again itself, and asks what was taken before it does.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    whole = _ship_until_the_end(_Shipper(options.output, tracking_uri(options.uri)), _Orders(options.leave_s))
    return 0 if whole else GAVE_UP


if __name__ == "__main__":
    sys.exit(run_main(run))
