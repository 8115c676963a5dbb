"""A process that ships a training's files to MLflow (`liax.tracking.shipper`), as its starter sees it."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import liax
from liax.process import ending
from liax.tracking.address import without_password
from liax.tracking.note import Ending

GAVE_UP = 3
"""The process's exit code when not everything was shipped, but starting it again would not help."""
_KILL_S = 5.0
"""It leaves by itself when its time is over; so much later it is killed."""


class Shipping:
    """A process in a session of its own: Ctrl-C, and whatever else ends its starter, does not reach it.

    It cannot outlive the starter by much: the end of its input tells it, and then it has `leave_s`.

    Args:
        output: of the training.
        uri: MLflow's address.
        leave_s: how long it goes on after the training's end; None for as long as MLflow takes what it is sent.
    """

    def __init__(self, output: str, uri: str, leave_s: float | None) -> None:
        self.step = 0
        """Up to where the steps are shipped."""
        self._missed: str | None = None
        self._last_line = ""
        command = [sys.executable, "-m", "liax.tracking.shipper", output, "--uri", without_password(uri)]
        if leave_s is not None:
            command += ["--leave-s", str(leave_s)]
        library = str(Path(liax.__file__).parent.parent)  # importable there as it is here, wherever the job was started
        path = os.pathsep.join(filter(None, [library, os.environ.get("PYTHONPATH")]))
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**os.environ, "PYTHONPATH": path, "MLFLOW_TRACKING_URI": uri},  # not where `ps` shows it
                start_new_session=True,
            )
        except OSError as error:  # no memory or no process left: training has its own and goes on
            self._last_line = str(error.strerror)
            return
        self._reader = threading.Thread(target=self._listen, daemon=True, name="listen-to-shipper")
        self._reader.start()

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def died(self) -> bool:
        """Whether it ended unasked, so that another one may do better."""
        return self._process is None or self._process.poll() not in (0, GAVE_UP)

    def missed(self) -> str | None:
        """Why MLflow misses something, in part of a line; None if nothing is known to be missing."""
        if not self.died() or self.alive():
            return self._missed
        how = "cannot be started" if self._process is None else ending(self._process.poll())
        return f"the process that ships to it {how}{f': {self._last_line}' if self._last_line else ''}"

    def end(self, ended: Ending, until_s: float | None) -> str | None:
        """Tell it that the training has ended, and wait for it.

        Args:
            ended: how.
            until_s: its time is over then, by `time.monotonic`; None for no limit.

        Returns:
            Why MLflow misses something, in part of a line; None if it has everything.
        """
        if self._process is None or self._process.stdin is None:
            return self.missed()
        try:
            with suppress(BrokenPipeError):  # it has just died
                self._process.stdin.write(f"{ended}\n")
                self._process.stdin.close()
            self._process.wait(None if until_s is None else max(until_s - time.monotonic(), 0) + _KILL_S)
        except subprocess.TimeoutExpired:
            self._missed = "it takes too long"
            return self._missed
        finally:
            self._process.kill()
            self._reader.join(_KILL_S)
        return None if self._process.returncode == 0 else self.missed()

    def _listen(self) -> None:
        """Take in what it prints: its messages, and of anything else the last line, which may say why it dies."""
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                told = json.loads(line)
            except json.JSONDecodeError:
                self._last_line = line.strip() or self._last_line
                continue
            self._missed = told.get("missed")
            self.step = told.get("step", self.step)
