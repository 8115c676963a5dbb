"""The numbers of every step, in files: `<output>/metrics/<first step>.jsonl`, each with the steps after its name's.

These files are the spool: training appends to them and waits for nobody; whoever wants the numbers (MLflow, the
summary, a plot) reads them, at any time, from any process. A checkpoint begins a new file. A run that continues at a
checkpoint writes the file that begins there anew, so every step stands exactly once, on one line: files that begin
later, of steps that are to be done again, are removed.
"""

import json
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from liax import storage
from liax.errors import NoFileError, StorageError, UserError
from liax.progress import say

Numbers = dict[str, float]

_MOST_LINES = 1000
"""Lines of a file. Our choice: on S3 a file is written anew with every flush, and readers read the last one again."""


class Record(NamedTuple):
    """A step's line."""

    step: int
    time_ms: int
    """When the step was done, in milliseconds since 1970. Kept here because MLflow tells points apart by it."""
    numbers: Numbers


class Records:
    """Writes the numbers of one run.

    Args:
        output: of the run.
        first_step: steps that were done before.
        every_steps: how often the file is written.
    """

    def __init__(self, output: str, first_step: int, every_steps: int) -> None:
        self._output, self._every_steps, self._failing = output, every_steps, False
        for name in written(storage.join(output, "metrics"), ".jsonl"):
            if int(PurePosixPath(name).stem) > first_step:
                storage.remove(name)
        self._url, self._lines, self._on_file = "", list[str](), 0
        self._begin(first_step)

    def add(self, step: int, numbers: Numbers) -> None:
        """Add the numbers of a step. Storage that fails for a while does not stop training: the lines wait."""
        rounded = {name: float(f"{v:.6g}") for name, v in numbers.items()}
        self._lines.append(json.dumps({"step": step, "time_ms": time.time_ns() // 1_000_000, **rounded}) + "\n")
        if step % self._every_steps == 0:
            self._try_flush(step)

    def flush(self) -> None:
        """Write what there is. Raises StorageError if that fails; nothing is lost then, and it can be called again."""
        if self._on_file == len(self._lines):
            return
        if self._on_file == 0 or storage.is_s3(self._url):
            storage.write_bytes(self._url, "".join(self._lines).encode())
        else:
            fresh = "".join(self._lines[self._on_file :])
            self._on_file = 0  # should half a line get there, the next call writes the whole file
            _append(self._url, fresh.encode())
        self._on_file = len(self._lines)

    def begin_next(self, step: int) -> None:
        """Go on in a new file, because there is a checkpoint of this step; call `flush` before that is made."""
        self._begin(step)

    def _try_flush(self, step: int) -> None:
        try:
            self.flush()
        except (StorageError, UserError) as error:  # the latter from a token that has run out
            if not self._failing:
                say(f"the numbers of steps up to {step} cannot be written for now ({error}); training goes on")
            self._failing = True
            return
        self._failing = False
        if len(self._lines) >= _MOST_LINES:
            self._begin(step)

    def _begin(self, step: int) -> None:
        self._url = storage.join(self._output, "metrics", f"{step:08d}.jsonl")
        self._lines, self._on_file = [], 0


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
    try:
        names = storage.list_files(folder, [suffix])
    except UserError:
        return []
    return [name for name in names if PurePosixPath(name).stem.isdigit()]


def _append(path: str, data: bytes) -> None:
    try:
        with Path(path).open("ab") as file:
            file.write(data)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
