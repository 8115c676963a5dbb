"""What is left of a finished run's numbers: all of them in one file, and a short summary."""

import json
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from liax import local_files, storage
from liax.errors import StorageError
from liax.training.config import TrainConfig
from liax.training.records import Numbers, Record, records_after

METRICS_FILE = "metrics.jsonl"
SUMMARY_FILE = "summary.json"
MEAN_OF_STEPS = 10
"""The summary's first and last losses are means of so many steps, because single ones scatter."""


class _Summary:
    """What the summary says of the steps seen so far; holds few of them, because a run has 800 thousand."""

    def __init__(self) -> None:
        self._first: list[Numbers] = []
        self._last: deque[Numbers] = deque(maxlen=MEAN_OF_STEPS)
        self._last_look: Numbers = {}
        self._skipped = 0.0

    def see(self, record: Record) -> None:
        """Take the next step in."""
        numbers = record.numbers
        if "val/l1" in numbers:
            self._last_look = numbers
        if "l1" in numbers:
            self._skipped += numbers.get("skipped", 0)
            self._last.append(numbers)
            if len(self._first) < MEAN_OF_STEPS:
                self._first.append(numbers)

    def values(self) -> dict[str, float]:
        """Losses first and last, the last validation, and how many steps were left out."""
        found: dict[str, float] = {}
        for name in ("l1", "loss"):
            for when, steps in (("first", self._first), ("last", self._last)):
                if steps:
                    found[f"{name}_{when}"] = sum(numbers[name] for numbers in steps) / len(steps)
        validation = {name: value for name, value in self._last_look.items() if name.startswith("val/")}
        found |= {name.replace("/", "_"): value for name, value in validation.items()}
        return found | {"skipped_steps": int(self._skipped)}


def complete_summary(config: TrainConfig) -> None:
    """Write the summary of a finished run whose last process ended before it could; nobody knows its seconds."""
    url = storage.join(config.output, SUMMARY_FILE)
    if not storage.exists(url) or json.loads(storage.read_bytes(url))["steps"] != config.steps:
        write_summary(config, {})


def write_summary(config: TrainConfig, seconds: dict[str, float]) -> None:
    """Write `metrics.jsonl`, every step's numbers in one file, and `summary.json`: losses first and last, seconds.

    Of the numbers one file of a thousand steps is in memory at a time.

    Args:
        config: of the run.
        seconds: what its parts took.

    Raises:
        StorageError, UserError: something cannot be read or written.
    """
    summary = _Summary()

    def lines() -> Iterator[bytes]:
        for record in records_after(config.output, 0):
            summary.see(record)
            yield (json.dumps({"step": record.step, **record.numbers}) + "\n").encode()

    _write_lines(storage.join(config.output, METRICS_FILE), lines())
    values = {"steps": config.steps, "pairs": config.steps * config.batch, **summary.values(), "seconds": seconds}
    storage.write_bytes(storage.join(config.output, SUMMARY_FILE), json.dumps(values, indent=1).encode())


def _write_lines(url: str, lines: Iterator[bytes]) -> None:
    """Write a file as a whole, a line at a time; for S3 it is on the local disk meanwhile."""
    if not storage.is_s3(url):
        with local_files.beside(Path(url)) as temporary:
            with temporary.open("wb") as file:
                file.writelines(lines)
            temporary.replace(url)
        return
    try:
        folder = tempfile.TemporaryDirectory(prefix="liax-")
    except OSError as error:
        raise StorageError(f"cannot make a temporary folder for an upload: {error.strerror}") from None
    with folder as name:
        local = storage.join(name, METRICS_FILE)
        _write_lines(local, lines)
        storage.upload(local, url)
