"""Which checkpoints are kept, and the removal of the others: never of one that `latest` or `best` names."""

import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from liax import storage
from liax.training.checkpoint import BEST, LATEST, STATE_FILE, best_step, checkpoint_files, folder_of, read_states


def steps_to_keep(scores: Mapping[int, float | None], keep: int) -> set[int]:
    """The newest `keep` steps and the one with the lowest score.

    Args:
        scores: of all complete checkpoints, by step; None where there was no validation.
        keep: at least 1.
    """
    best = best_step(scores)
    return set(sorted(scores)[-keep:]) | (set() if best is None else {best})


def remove_old(output: str, keep: int, step: int) -> None:
    """Remove checkpoints that are not to be kept, and what is left of older ones that were never completed.

    A removal that dies midway is finished by the next one.

    Args:
        output: of the run.
        keep: how many of the newest are kept.
        step: of the checkpoint that was just written.

    Raises:
        StorageError, UserError: something could not be removed.
    """
    files, states = checkpoint_files(output), read_states(output)
    kept = steps_to_keep({step: state.score for step, state in states.items()}, keep) | _named_steps(output)
    for other, names in files.items():
        unfinished = other < step and not any(PurePosixPath(name).name == STATE_FILE for name in names)
        if unfinished or (other in states and other not in kept):
            remove_checkpoint(folder_of(output, other), names)
    if not storage.is_s3(output):
        _remove_empty(Path(output, "checkpoints"), step)


def remove_checkpoint(folder: str, names: Sequence[str]) -> None:
    """Remove a checkpoint's files, and its folder."""
    storage.remove(storage.join(folder, STATE_FILE))  # first: without it the rest is no checkpoint
    storage.remove_many(names)
    if not storage.is_s3(folder):
        shutil.rmtree(folder, ignore_errors=True)  # a file that someone has open is left for the next time


def _remove_empty(checkpoints: Path, step: int) -> None:
    """Remove the folders of older checkpoints whose writer died before their first file."""
    for folder in checkpoints.iterdir():
        if folder.name.isdigit() and int(folder.name) < step:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _named_steps(output: str) -> set[int]:
    found = set()
    for pointer in (LATEST, BEST):
        url = storage.join(output, "checkpoints", pointer)
        if storage.exists(url):
            found |= {int(digits) for digits in re.findall(r"^\d+", storage.read_bytes(url).decode(errors="replace"))}
    return found
