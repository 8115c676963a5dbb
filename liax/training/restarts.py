"""How often a run's workers may die: not in all, but without getting anywhere."""

import threading
from functools import partial

from liax.errors import JobError
from liax.progress import say
from liax.training.checkpoint import latest_checkpoint
from liax.training.checkpoint_writer import Retry


class Restarts:
    """Counts failures of a run's workers since its last new checkpoint.

    Args:
        output: of the run.
        limit: the run ends at one failure more (`max_failures`).
    """

    def __init__(self, output: str, limit: int) -> None:
        self._output, self._limit = output, limit
        self._step, self._failures = _saved_step(output), 0

    def count(self, reason: str) -> None:
        """Count a failure, and say that the workers start again. Waits for a storage that is away for a while.

        Args:
            reason: one line.

        Raises:
            JobError: there were too many at the same checkpoint.
            StorageError: the storage did not come back.
            UserError: it refuses.
        """
        step = _saved_step(self._output)
        if step > self._step:
            self._failures = 0
        self._step = step  # perhaps an earlier one, where the newest was damaged
        self._failures += 1
        where = f"the checkpoint of step {step}" if step else "the start"
        if self._failures > self._limit:
            times = f"{self._failures} times, with no new checkpoint since" if self._failures > 1 else "after"
            raise JobError(f"training workers failed {times} {where} (max_failures={self._limit}): {reason}")
        say(f"training workers failed, and start again from {where}: {reason}")


def _saved_step(output: str) -> int:
    """Of the latest checkpoint; 0 if there is none. Waits: workers would not find it either, and fail once more."""
    saved = Retry(threading.Event())(partial(latest_checkpoint, output))
    return 0 if saved is None else saved.state.step
