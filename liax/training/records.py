"""The numbers of every step, in files: `<output>/metrics/<first step>.jsonl`, one from each checkpoint to the next.

A run that continues at a checkpoint writes the file that begins there anew, so every step stands exactly once, on one
line: files that begin later, of steps that are to be done again, are removed. Whoever wants the numbers (MLflow, the
summary, a plot) reads these files; training itself waits for none of them.
"""

import json
from pathlib import PurePosixPath

from liax import storage
from liax.errors import UserError

Numbers = dict[str, float]


class Records:
    """Writes the numbers of one run.

    Args:
        output: of the run.
        first_step: steps that were done before.
        every_steps: how often the file is written.
    """

    def __init__(self, output: str, first_step: int, every_steps: int) -> None:
        self._output, self._every_steps = output, every_steps
        for name in written(storage.join(output, "metrics"), ".jsonl"):
            if int(PurePosixPath(name).stem) > first_step:
                storage.remove(name)
        self._begin(first_step)

    def add(self, step: int, numbers: Numbers) -> None:
        """Add the numbers of a step."""
        self._lines.append(json.dumps({"step": step, **{name: float(f"{v:.6g}") for name, v in numbers.items()}}))
        if step % self._every_steps == 0:
            self.flush()

    def flush(self) -> None:
        """Write what there is."""
        storage.write_bytes(self._url, "".join(f"{line}\n" for line in self._lines).encode())

    def begin_next(self, step: int) -> None:
        """Go on in a new file, because there is a checkpoint of this step; call `flush` before that is made."""
        self._begin(step)

    def _begin(self, step: int) -> None:
        self._url = storage.join(self._output, "metrics", f"{step:08d}.jsonl")
        self._lines: list[str] = []


def read_records(output: str, after_step: int = 0) -> list[tuple[int, Numbers]]:
    """Step and numbers of every line whose step is later than `after_step`, in order; none if nothing was written."""
    names = written(storage.join(output, "metrics"), ".jsonl")
    if not names:
        return []
    starts = [int(PurePosixPath(name).stem) for name in names]
    needed = [n for n, end in zip(names, [*starts[1:], after_step + 1], strict=True) if end > after_step]
    lines = [json.loads(line) for name in needed for line in storage.read_bytes(name).splitlines()]
    return [(line.pop("step"), line) for line in lines if line["step"] > after_step]


def written(folder: str, suffix: str) -> list[str]:
    """The numbered files in a folder, in order; none if there is no such folder yet."""
    try:
        names = storage.list_files(folder, [suffix])
    except UserError:
        return []
    return [name for name in names if PurePosixPath(name).stem.isdigit()]
