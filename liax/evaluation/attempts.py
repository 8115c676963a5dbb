"""How often an item of a resumable job is begun: one that kills its worker is not begun for ever.

work/started/ID.N   it was begun for the N-th time in this run
"""

from liax import storage

ATTEMPTS = 3
"""How often an item is begun whose worker dies of it. Our choice, as in preprocessing."""


def started(output: str, item_id: str, attempt: int) -> str:
    """The file that says that an item was begun."""
    return storage.join(output, "work", "started", f"{item_id}.{attempt}")


def may_begin(output: str, item_id: str) -> bool:
    """Count this attempt, unless there were enough: Ray begins an item again whose worker died."""
    return any(storage.create_bytes(started(output, item_id, attempt), b"") for attempt in range(ATTEMPTS))


def forget_attempts(output: str) -> None:
    """A new run begins every item anew: a run that was stopped is nobody's fault."""
    storage.remove_many(storage.list_if_there(storage.join(output, "work", "started")))
