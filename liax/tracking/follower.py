"""Who follows a training from outside of it: the process that ships its files to MLflow, started and watched.

Nothing here loads MLflow or waits for it while the training runs; only its end waits, at most `END_S`.
"""

import importlib.util
import shlex
import time
from typing import Protocol

from liax.errors import LiaxError
from liax.progress import say
from liax.tracking.address import NO_TRACKING, tracking_uri, without_password
from liax.tracking.note import Ending, note_ending, write_note
from liax.tracking.shipping import Shipping
from liax.training.config import TrainConfig
from liax.training.run_record import RunRecord, read_run, write_run

END_S = 60.0
"""How long the end of a training waits for MLflow at most, so that a dead server cannot hold a machine. Our choice: a
busy server needs seconds for what has come since the last look."""
_RESTART_S, _LONGEST_RESTART_S = 5.0, 300.0
"""From the death of a shipping process to the start of the next: first, doubled each time, and the most."""
_LAST_STARTS = 3
"""So often it is started again once the training has ended."""


class Follower(Protocol):
    """Ships what training writes."""

    def start(self) -> None:
        """Begin; training begins now."""

    def tend(self) -> None:
        """Called now and then while training runs; returns at once."""

    def finish(self, ended: Ending, *, bounded: bool = True) -> None:
        """Ship the rest, if `start` was called or the training ended well; says a line, never raises, if that fails.

        Args:
            ended: how the training ended.
            bounded: wait for it at most `END_S`, whatever there is to ship.
        """


class NoFollower:
    """The files are all there is."""

    def __init__(self, output: str) -> None:
        self._output = output

    def start(self) -> None:
        pass

    def tend(self) -> None:
        pass

    def finish(self, ended: Ending, *, bounded: bool = True) -> None:
        _note(self._output, ended)


def open_follower(config: TrainConfig, set_id: str, *, trained: bool = False) -> Follower:
    """Mark the output as this run's, and note in it what MLflow shall be told.

    Args:
        config: of the training.
        set_id: of its shards.
        trained: whether all its steps are done.

    Raises:
        UserError: MLflow's address is not one.
    """
    uri = None if config.tracking.uri == NO_TRACKING else tracking_uri(config.tracking.uri)
    if read_run(config.output) is None:
        write_run(config.output, RunRecord(identity=config.identity(set_id), set_id=set_id))
    write_note(config, set_id, None if uri is None else without_password(uri), going_on=not trained)
    if uri is None:
        return NoFollower(config.output)
    if importlib.util.find_spec("mlflow") is None:
        say(f"MLflow is not installed here: where it is, `{_track_command(config.output, uri)}` ships what is recorded")
        return NoFollower(config.output)
    return MlflowFollower(config.output, uri)


class MlflowFollower:
    """A shipping process, and another one when it dies.

    Args:
        output: of the training.
        uri: MLflow's address.
    """

    def __init__(self, output: str, uri: str) -> None:
        self._output, self._uri = output, uri
        self._shipping: Shipping | None = None
        self._step, self._said = 0, False
        self._restart_s, self._restart_at_s = _RESTART_S, 0.0

    def start(self) -> None:
        self._shipping = Shipping(self._output, self._uri, END_S)

    def tend(self) -> None:
        if self._shipping is None:
            return
        self._step = max(self._step, self._shipping.step)
        missed = self._shipping.missed()
        if missed is not None and not self._said:
            say(f"MLflow misses numbers for now ({missed}); training goes on and what is missing comes later")
            self._said = True
        if self._shipping.alive():
            return
        if self._restart_at_s == 0:
            self._restart_at_s = time.monotonic() + self._restart_s
        elif time.monotonic() >= self._restart_at_s:
            self._restart_s = min(2 * self._restart_s, _LONGEST_RESTART_S)
            self._restart_at_s = 0.0
            self.start()

    def finish(self, ended: Ending, *, bounded: bool = True) -> None:
        if self._shipping is None and ended != "FINISHED":
            return
        _note(self._output, ended)
        until_s = time.monotonic() + END_S if bounded else None
        missed = None
        for _ in range(_LAST_STARTS):
            if self._shipping is None or not self._shipping.alive():
                self._shipping = Shipping(self._output, self._uri, END_S if bounded else None)
            missed = self._shipping.end(ended, until_s)
            self._step = max(self._step, self._shipping.step)
            if not self._shipping.died() or (until_s is not None and time.monotonic() >= until_s):
                break
        if missed is not None:
            say(
                f"MLflow misses steps after {self._step} or how the run ended ({missed}); everything is in "
                f"{self._output}, and `{_track_command(self._output, self._uri)}` ships what is missing"
            )


def _note(output: str, ended: Ending) -> None:
    """Note how the training ended, which is not undone by storage that fails now."""
    try:
        note_ending(output, ended)
    except LiaxError as error:
        say(f"it cannot be noted that the run {ended.lower()} ({error})")


def _track_command(output: str, uri: str) -> str:
    return shlex.join(["liax", "track", output, "--tracking-uri", without_password(uri)])
