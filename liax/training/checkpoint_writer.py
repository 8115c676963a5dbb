"""Saving a run's state while it trains: copied to the CPU at once, written by a thread, tried again where it fails.

A checkpoint's files are written first, then `state.json`, which lists them, then `best` and `latest`: a process that
is killed at any moment leaves the checkpoint before. Ray Train's own upload of checkpoints is not used: it ends the
run after three attempts.

Memory: the leading worker holds one copy of what it saves, 4 bytes × (4 × the generator's + 3 × the discriminator's
weights): weights, Adam's two means, and the generator's average. It shrinks file by file while it is written; the next
save begins when it is gone.
"""

import json
import math
import platform
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from types import TracebackType
from typing import Self, TypeVar

import torch
from torch import Tensor

import liax
from liax import storage
from liax.config import to_yaml
from liax.errors import LiaxError, StorageError, UserError
from liax.model.weights import CONFIG_FILE
from liax.progress import say
from liax.tracking.client import git_commit
from liax.training.checkpoint import (
    BEST,
    LATEST,
    STATE_FILE,
    TRAIN_FILE,
    CheckpointState,
    Networks,
    best_step,
    checkpoint_files,
    folder_name,
    folder_of,
    read_states,
)
from liax.training.config import TrainConfig
from liax.training.place import Place
from liax.training.random_state import all_random_states
from liax.training.retention import remove_checkpoint, remove_old
from liax.training.tensor_file import Written, write_tensors, write_text

RETRY_FOR_S = 300.0
"""How long a failing storage is asked again. Our choice: a restart of an S3 server or a full queue passes, and the
other workers, who wait at the next save, do not give this one up (the process group's limits are 10 minutes or more).
"""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between attempts; each wait is twice the one before. botocore has its own, shorter ones within an attempt."""
FAILURES_IN_A_ROW = 3
"""So many checkpoints that could not be written end the run. Our choice: a restart would lose three times
`checkpoint.every_steps`."""

_T = TypeVar("_T")


@dataclass(slots=True)
class _Snapshot:
    """What is to be written; the tensors by file, on the CPU, nobody else's."""

    step: int
    score: float | None
    skipped: int
    tensors: dict[str, dict[str, Tensor]]
    texts: dict[str, str]
    before: Callable[[], None]


class CheckpointWriter:
    """Writes a run's checkpoints. Every worker has one and makes the same calls; the leading worker's writes.

    Leaving its block waits for the last checkpoint, and raises StorageError if that could not be written. Leaving it by
    an error waits only for the attempt that is on its way.

    Args:
        config: of the run.
        place: of this worker.
        identity: `TrainConfig.identity`.
    """

    def __init__(self, config: TrainConfig, place: Place, identity: str) -> None:
        self._config, self._place, self._identity = config, place, identity
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._pending: Future[str | None] | None = None
        self._failure: str | None = None
        self._failures = 0
        self._hurry = threading.Event()
        self._versions = versions() if place.leads else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._hurry.set()
            self._thread.shutdown()

    def save(
        self,
        networks: Networks,
        step: int,
        score: float | None = None,
        skipped: int = 0,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        """Save the state after `step` steps. Returns when it is copied, or written if `in_background` is false.

        Args:
            networks: all that training changes.
            step: steps done.
            score: the validation's, lower is better; None if there was none at this step.
            skipped: steps that were left out so far.
            before: what must have been written before there is this checkpoint; called on the leading worker, by the
                thread that writes, and again where the storage fails.

        Raises:
            StorageError: on every worker, when `FAILURES_IN_A_ROW` checkpoints could not be written.
        """
        self._settle()
        snapshot = self._copy(networks, step, score, skipped, before)
        if snapshot is not None:
            self._pending = self._thread.submit(self._write, snapshot)
        if not self._config.checkpoint.in_background:
            self._settle()

    def close(self) -> None:
        """Wait for the last checkpoint. Raises StorageError, on every worker, if it could not be written."""
        try:
            self._settle()
        finally:
            self._thread.shutdown()
        if self._place.any(self._failure is not None):
            raise StorageError(f"the last checkpoint could not be written: {self._reason()}")

    def _settle(self) -> None:
        """Wait for the checkpoint before, and count whether it was written. All workers agree on whether to go on."""
        if self._pending is not None:
            self._failure, self._pending = self._pending.result(), None
            self._failures = 0 if self._failure is None else self._failures + 1
        if self._place.any(self._failures >= FAILURES_IN_A_ROW):
            raise StorageError(f"{FAILURES_IN_A_ROW} checkpoints in a row could not be written: {self._reason()}")

    def _reason(self) -> str:
        return self._failure or "see the first worker's error"

    def _copy(
        self, networks: Networks, step: int, score: float | None, skipped: int, before: Callable[[], None]
    ) -> _Snapshot | None:
        """Gather everything on the leading worker; None on the others."""
        tensors = {"random.safetensors": all_random_states(self._place)}
        for name, trained in networks.trained().items():
            # One after the other: where workers have parts, only one of the wholes is in the GPU's memory at a time.
            for file, gather in ((name, trained.weights), (f"optimizer_{name}", trained.optimizer_state)):
                gathered = gather()
                if networks.ema is not None:
                    tensors[f"{file}.safetensors"] = _on_cpu(gathered)
        if networks.ema is None:
            return None
        tensors["model.safetensors"] = _on_cpu(networks.ema.model.state_dict())
        layout = json.dumps(networks.ema.model.config.model_dump(mode="json"), indent=2) + "\n"
        known = score if score is not None and math.isfinite(score) else None
        texts = {CONFIG_FILE: layout, TRAIN_FILE: to_yaml(self._config)}
        return _Snapshot(step, known, skipped, tensors, texts, before)

    def _write(self, snapshot: _Snapshot) -> str | None:
        """Write a checkpoint and remove old ones; returns why it could not be written."""
        folder, retry = folder_of(self._config.output, snapshot.step), Retry(self._hurry)
        try:
            retry(snapshot.before)
            state = self._write_files(folder, snapshot, retry)
            self._point_to(state, retry)
        except (StorageError, UserError) as error:
            say(f"the checkpoint of step {snapshot.step} could not be written, and training goes on: {error}")
            return str(error)
        try:
            remove_old(self._config.output, self._config.checkpoint.keep, snapshot.step)
        except (StorageError, UserError) as error:
            say(f"old checkpoints could not be removed, which is tried again after the next one: {error}")
        return None

    def _write_files(self, folder: str, snapshot: _Snapshot, retry: "Retry") -> CheckpointState:
        updates = {
            name: int(snapshot.tensors[f"optimizer_{name}.safetensors"]["updates"].item())
            for name in ("generator", "discriminator")
        }
        # What a killed process, or a run that went on from an older checkpoint, left here. A state must not list files
        # that are being replaced.
        retry(partial(storage.remove, storage.join(folder, STATE_FILE)))
        storage.remove_unfinished(storage.join(self._config.output, "checkpoints"))
        written: dict[str, Written] = {}
        try:
            for name in list(snapshot.tensors):
                url, tensors = storage.join(folder, name), snapshot.tensors.pop(name)
                written[name] = retry(partial(write_tensors, url, tensors))
            for name, text in snapshot.texts.items():
                written[name] = retry(partial(write_text, storage.join(folder, name), text))
        except (StorageError, UserError):
            self._discard(snapshot.step)
            raise
        state = CheckpointState(
            step=snapshot.step,
            pairs=snapshot.step * self._config.batch,
            updates=updates,
            skipped=snapshot.skipped,
            score=snapshot.score,
            identity=self._identity,
            versions=self._versions,
            files={name: file.sha256 for name, file in written.items()},
            sizes_bytes={name: file.size_bytes for name, file in written.items()},
        )
        retry(partial(write_text, storage.join(folder, STATE_FILE), state.model_dump_json(indent=1)))
        return state

    def _point_to(self, state: CheckpointState, retry: "Retry") -> None:
        """Let `best` and `latest` name what they are to name now."""
        output = self._config.output
        states = retry(partial(read_states, output))
        best = best_step({step: other.score for step, other in states.items()})
        for pointer, step in ((BEST, best), (LATEST, state.step)):
            if step is not None:
                url = storage.join(output, "checkpoints", pointer)
                retry(partial(write_text, url, f"{folder_name(step)}\n"))

    def _discard(self, step: int) -> None:
        """Give back the disk's space at once; what cannot be removed now is when the next checkpoint is written."""
        output = self._config.output
        try:
            remove_checkpoint(folder_of(output, step), checkpoint_files(output).get(step, []))
        except LiaxError as error:
            say(f"what there is of the checkpoint of step {step} could not be removed: {error}")


class Retry:
    """Does things again that the storage fails at, for `RETRY_FOR_S` in all.

    Args:
        hurry: ends the waiting: each thing is then tried once.
    """

    def __init__(self, hurry: threading.Event) -> None:
        self._hurry = hurry
        self._left_s = RETRY_FOR_S

    def __call__(self, action: Callable[[], _T]) -> _T:
        """The action's result. Raises the last StorageError when the time is up, and any other error at once."""
        wait_s, since_s, told = FIRST_WAIT_S, time.monotonic(), False
        while True:
            try:
                return action()
            except StorageError as error:
                now_s = time.monotonic()
                self._left_s, since_s = self._left_s - (now_s - since_s), now_s
                if self._left_s <= 0 or self._hurry.is_set():
                    raise
                if not told:
                    say(f"tried again for up to {self._left_s:.0f} s: {error}")
                told = True
            self._hurry.wait(min(wait_s, self._left_s))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def versions() -> dict[str, str]:
    """Of what writes a checkpoint: Python, the packages that matter, and this code's commit where it is known."""
    found = {"liax": liax.__version__, "python": platform.python_version()}
    for package in ("torch", "deepspeed"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found | git_commit()


def _on_cpu(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A copy, contiguous, that training does not change."""
    copies = {}
    for name, tensor in tensors.items():
        copies[name] = torch.empty(tensor.shape, dtype=tensor.dtype)
        copies[name].copy_(tensor.detach())
    return copies
