"""What the jobs on Ray Data share: items in, a pool of actors between, rows out, and one line where that fails."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from liax.errors import JobError

if TYPE_CHECKING:
    from ray.data import ActorPoolStrategy, Dataset

MOST_BLOCKS = 4096
"""Items are handed out in at most this many blocks: one an item for small runs, so that the work spreads evenly."""

_OWN_ERROR = re.compile(r"(?!ray\.)[\w.]+(Error|Exception)\b.*: ")
"""How the last line of a traceback begins."""


def dataset(items: Sequence[dict[str, Any]]) -> "Dataset":
    """Items as rows. Ray must be running."""
    import ray

    return ray.data.from_items(list(items), override_num_blocks=min(len(items), MOST_BLOCKS))


def actor(stage: type) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A stage's class as Ray Data's `map` takes it: called like a function once Ray has made its actor, which the type
    of `map` does not say."""
    return cast("Callable[[dict[str, Any]], dict[str, Any]]", stage)


def pool(most: int, room: int) -> "ActorPoolStrategy":
    """A pool of one to `most` actors.

    It starts as large as there is room for (grown one by one it would idle for long), and no larger: a stage whose
    actors wait for room would leave none for the next stage's.
    """
    from ray.data import ActorPoolStrategy

    most = max(1, most)
    return ActorPoolStrategy(min_size=1, max_size=most, initial_size=max(1, min(most, room)))


def rows(dataset: "Dataset", label: str) -> Iterator[dict[str, Any]]:
    """The rows of a dataset; a failure of a stage's own code ends the job in one line.

    Raises:
        JobError: what failed, named by `label`.
    """
    import ray

    try:
        yield from dataset.iter_rows()
    except ray.exceptions.RayError as error:
        raise JobError(f"{label} failed: {cause(str(error)) or type(error).__name__}") from error


def cause(text: str) -> str:
    """The line of Ray's report that names the stage's own error: Ray writes its own errors and advice round it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if _OWN_ERROR.match(line)]
    return named[-1] if named else "".join(lines[-1:])


def quiet(context: Any = None) -> None:
    """Ray Data's own bars and plans would bury the job's.

    Args:
        context: of one dataset (`ray.data.DataContext`); None for those that are made after this.
    """
    if context is None:
        import ray

        context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
