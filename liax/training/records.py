"""The numbers of every step, in files: `<output>/metrics/<first step>.jsonl`, each with the steps after its name's.

These files are the spool: training appends to them and waits for nobody; whoever wants the numbers (MLflow, the
summary, a plot) reads them, at any time, from any process. A thread writes them, one after the other, so that what is
there is always all steps up to one, and storage that is slow or away holds no step up. A checkpoint begins a new file.
A run that continues at a checkpoint writes the file that begins there anew, so every step stands exactly once, on one
line: files that begin later, of steps that are to be done again, are removed.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import NamedTuple, Self

from liax import storage
from liax.errors import NoFileError, StorageError, UserError
from liax.progress import say

Numbers = dict[str, float]

CLOSE_WITHIN_S = 60.0
"""How long the end of a run waits for what is not written yet. Our choice: as long as for MLflow (`tracking.follower`);
after a run's last step nothing is left, because its checkpoint waits for the numbers."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
"""Between attempts; each wait is twice the one before, as with checkpoints."""
_MOST_LINES = 1000
"""Lines of a file. Our choice: on S3 a file is written anew each time, and readers read the last one again."""
_MOST_WAITING = 100_000
"""So many lines that cannot be written end the run. Our choice: they take some 100 MB, and long before it checkpoints,
which fail with the same storage, have ended most runs."""


class Record(NamedTuple):
    """A step's line."""

    step: int
    time_ms: int
    """When the step was done, in milliseconds since 1970. Kept here because MLflow tells points apart by it."""
    numbers: Numbers


@dataclass(slots=True)
class _File:
    """A file's lines, and how many of them are in the storage."""

    url: str
    lines: list[str] = field(default_factory=list)
    written: int = 0
    anew: bool = True
    """It is to be written as a whole: what stands there is of an earlier run, or ends with half a line."""

    def write(self, count: int) -> None:
        """Write the first `count` lines; others may be added meanwhile."""
        if self.anew or storage.is_s3(self.url):
            storage.write_bytes(self.url, "".join(self.lines[:count]).encode())
        else:
            self.anew = True  # unless all of it gets there
            _append(self.url, "".join(self.lines[self.written : count]).encode())
        self.written, self.anew = count, False


class Records:
    """Writes the numbers of one run. Within its block a thread does it, and whoever adds numbers never waits.

    Leaving the block waits for what is not written yet, for `CLOSE_WITHIN_S` at most; leaving it by an error, for one
    more attempt. What is missing then is told.

    Args:
        output: of the run.
        first_step: steps that were done before.
        every_steps: how often files are written.

    Raises:
        StorageError, UserError: what an earlier run has left cannot be looked at or removed.
    """

    def __init__(self, output: str, first_step: int, every_steps: int) -> None:
        self._folder, self._every_steps = storage.join(output, "metrics"), every_steps
        for name in written(self._folder, ".jsonl"):
            if int(PurePosixPath(name).stem) > first_step:
                storage.remove(name)
        self._files = deque([_File(self._url(first_step))])
        """Those that are not wholly written, in order, and the one that lines are added to."""
        self._guard, self._writing = threading.Lock(), threading.Lock()
        """Of the list of files, held for a moment; and of the storage, held while something is written."""
        self._due, self._ending, self._hurry = threading.Event(), threading.Event(), threading.Event()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._write_when_due, name="records", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._hurry.set()
        self._ending.set()
        self._due.set()
        self._thread.join(CLOSE_WITHIN_S)
        self._hurry.set()
        with self._guard:
            files = list(self._files)
        missing = [json.loads(line)["step"] for file in files for line in file.lines[file.written :]]
        if missing:
            steps = f"step {missing[0]}" if len(missing) == 1 else f"steps {missing[0]} to {missing[-1]}"
            reason = self._failure or "the storage does not answer"
            # "May": the last attempt can still be under way.
            say(f"the numbers of {steps} are not in {self._folder}, and may be lost: {reason}")

    def add(self, step: int, numbers: Numbers) -> None:
        """Add the numbers of a step.

        Raises:
            StorageError: more wait to be written than memory should hold.
        """
        rounded = {name: float(f"{v:.6g}") for name, v in numbers.items()}
        line = json.dumps({"step": step, "time_ms": time.time_ns() // 1_000_000, **rounded}) + "\n"
        with self._guard:
            self._files[-1].lines.append(line)
            waiting = sum(len(file.lines) - file.written for file in self._files)
            if len(self._files[-1].lines) >= _MOST_LINES:
                self._files.append(_File(self._url(step)))
        if waiting > _MOST_WAITING:
            raise StorageError(
                f"the numbers of {waiting} steps cannot be written to {self._folder}: "
                f"{self._failure or 'the storage does not answer'}"
            )
        if step % self._every_steps == 0:
            self._due.set()

    def begin_next(self, step: int) -> None:
        """Go on in a new file, because there is to be a checkpoint of this step, which calls `flush`."""
        with self._guard:
            if self._files[-1].lines:
                self._files.append(_File(self._url(step)))
            else:
                self._files[-1].url = self._url(step)

    def flush(self) -> None:
        """Write what there is now, in this thread. If that fails nothing is lost, and it can be called again.

        Raises:
            StorageError, UserError: the storage failed, or refused.
        """
        with self._writing:
            with self._guard:
                counts = [(file, len(file.lines)) for file in self._files]
            for file, count in counts:
                if file.written < count:
                    file.write(count)
            with self._guard:
                while len(self._files) > 1 and self._files[0].written == len(self._files[0].lines):
                    self._files.popleft()

    def _write_when_due(self) -> None:
        wait_s = _FIRST_WAIT_S
        while True:
            self._due.wait()
            self._due.clear()
            ending = self._ending.is_set()
            if self._try_flush():
                if ending:
                    return
                wait_s = _FIRST_WAIT_S
                continue
            if ending and self._hurry.is_set():
                return
            if self._ending.wait(wait_s):  # the end is near: more often
                self._hurry.wait(_FIRST_WAIT_S)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            self._due.set()

    def _try_flush(self) -> bool:
        try:
            self.flush()
        except (StorageError, UserError) as error:  # the latter from a token that has run out
            if self._failure is None:
                say(f"the numbers of steps cannot be written for now, and training goes on: {error}")
            self._failure = str(error)
            return False
        self._failure = None
        return True

    def _url(self, step: int) -> str:
        return storage.join(self._folder, f"{step:08d}.jsonl")


def read_records(output: str, after_step: int = 0) -> list[tuple[int, Numbers]]:
    """Step and numbers of every line whose step is later than `after_step`, in order; none if nothing was written."""
    return [(record.step, record.numbers) for record in records_after(output, after_step)]


def records_after(output: str, step: int) -> Iterator[Record]:
    """Every line of a later step, in order, one file in memory at a time.

    May be read while training writes: half a line at the end, or a file that is just being removed, ends it.
    """
    names = written(storage.join(output, "metrics"), ".jsonl")
    starts = [int(PurePosixPath(name).stem) for name in names]
    for name, next_start in zip_longest(names, starts[1:]):
        if next_start is not None and next_start <= step:
            continue
        try:
            data = storage.read_bytes(name)
        except NoFileError:
            return
        for line in data[: data.rfind(b"\n") + 1].splitlines():
            values = json.loads(line)
            record = Record(values.pop("step"), values.pop("time_ms"), values)
            if record.step > step:
                yield record


def written(folder: str, suffix: str) -> list[str]:
    """The numbered files in a folder, in order; none if there is no such folder yet."""
    names = storage.list_if_there(folder, [suffix])
    return [name for name in names if PurePosixPath(name).stem.isdigit()]


def _append(path: str, data: bytes) -> None:
    try:
        with Path(path).open("ab") as file:
            file.write(data)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
