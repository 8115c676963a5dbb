"""Steps whose loss or gradient was not finite: counted, the first kept to look at, too many in a row the run's end."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import torch

from liax import storage
from liax.data.batch import PairBatch
from liax.errors import JobError, StorageError, UserError
from liax.progress import say
from liax.training.place import Place
from liax.training.tensor_file import write_tensors


class Faults:
    """Counts the steps that were left out. Every worker has one and makes the same calls.

    Args:
        limit: so many bad steps in a row end the run (`faults.skipped_in_a_row`).
        output: of the run.
        place: of this worker.
        skipped: bad steps of the run so far, where it continues.
    """

    def __init__(self, limit: int, output: str, place: Place, skipped: int = 0) -> None:
        self._limit, self._output, self._place = limit, output, place
        self.skipped = skipped
        """Bad steps of the run."""
        self.in_a_row = 0
        """Bad steps since the last good one."""
        self._file: str | None = None

    def step(self, step: int, good: bool, micro_batches: Sequence[PairBatch], terms: Mapping[str, float]) -> None:
        """Count a step.

        Args:
            step: its number, from 1.
            good: whether every update was made; the same on all workers.
            micro_batches: what this worker computed it from.
            terms: the step's numbers.

        Raises:
            JobError: the limit is reached.
        """
        if good:
            self.in_a_row = 0
            return
        self.skipped += 1
        self.in_a_row += 1
        if self._file is None:
            self._file = self._keep(step, micro_batches, terms)
            if self._place.leads:
                bad = ", ".join(name for name, value in terms.items() if not math.isfinite(value))
                say(f"step {step} was not finite ({bad}) and was left out; its inputs are in {self._file}")
        if self.in_a_row >= self._limit:
            raise JobError(
                f"{self.in_a_row} steps in a row were not finite, the last of them step {step}; the inputs and terms "
                f"of the run's first such step are in {self._file}: look at its pictures, then train again with a "
                "lower learning rate or without them"
            )

    def _keep(self, step: int, micro_batches: Sequence[PairBatch], terms: Mapping[str, float]) -> str:
        """Where the inputs of the run's first bad step are; they are written unless an earlier process did it."""
        try:
            before = first_fault(self._output)
            if before is not None and before != _name(step):
                return storage.join(self._output, "faults", before)
            return dump_fault(self._output, step, self._place.rank, micro_batches, terms)
        except (StorageError, UserError) as error:
            say(f"the inputs of step {step}, which was not finite, could not be kept: {error}")
            return "no file, because the storage failed"


def first_fault(output: str) -> str | None:
    """The folder, within `<output>/faults/`, of the first bad step of a run; None if there was none."""
    names = storage.list_if_there(storage.join(output, "faults"), [".json"])
    return min((PurePosixPath(name).parent.name for name in names), default=None)


def dump_fault(output: str, step: int, rank: int, batches: Sequence[PairBatch], terms: Mapping[str, float]) -> str:
    """Write what a worker computed a step from, as `<output>/faults/<step>/<rank>.safetensors` and `.json`.

    Args:
        output: of the run.
        step: its number, from 1.
        rank: of the worker.
        batches: its micro-batches, `source` and `driving` B×3×H×W each; in the file they are one, in their order.
        terms: the step's numbers.

    Returns:
        The folder.
    """
    folder = storage.join(output, "faults", _name(step))
    pictures = {
        "source": torch.cat([batch["source"] for batch in batches]),
        "driving": torch.cat([batch["driving"] for batch in batches]),
    }
    on_cpu = {side: tensor.detach().cpu().contiguous() for side, tensor in pictures.items()}
    write_tensors(storage.join(folder, f"{rank}.safetensors"), on_cpu)
    # Text where it is no number: JSON has no other way to say so.
    values = {name: value if math.isfinite(value) else str(value) for name, value in terms.items()}
    text = json.dumps({"step": step, "rank": rank, "micro_batches": len(batches), "terms": values}, indent=1)
    storage.write_bytes(storage.join(folder, f"{rank}.json"), text.encode())
    return folder


def _name(step: int) -> str:
    return f"{step:08d}"
