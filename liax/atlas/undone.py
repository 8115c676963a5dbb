"""Work on Ray that is done once: what has its record is not done again, so a run that died anywhere is continued by
starting it again."""

from collections.abc import Mapping
from typing import Any, Protocol

from liax.atlas.records import crashed
from liax.evaluation.data_config import DataConfig
from liax.evaluation.pool import through_pool
from liax.progress import Progress, say


class _Work(Protocol):
    """A frozen dataclass: what every worker is told, and where records are."""

    @property
    def config(self) -> DataConfig: ...

    def done(self, kind: str) -> set[str]: ...

    def file(self, *parts: str) -> str: ...


def do_undone(
    work: _Work,
    kind: str,
    stage: type,
    items: Mapping[str, Mapping[str, Any]],
    label: str,
    unit: str,
    counted: str,
    *,
    records: bool = True,
) -> None:
    """Each item that has no record yet, by id, through a pool of workers.

    Args:
        kind: the records' folder.
        stage: see `through_pool`; its rows count something.
        label, unit, counted: what is done, to what, and what its rows count, for messages.
        records: whether what is written are records, which say if an item's worker died of it: that is begun anew.
    """
    done = work.done(kind) & items.keys()
    if records:
        done -= crashed({item_id: work.file("work", kind, f"{item_id}.npz") for item_id in done})
    rows = [{"id": item_id, **item} for item_id, item in items.items() if item_id not in done]
    if len(rows) < len(items):
        say(f"{label}: {len(items) - len(rows)} of {len(items)} were done before")
    if not rows:
        return
    total = 0
    with Progress(len(rows), label, unit) as progress:
        for row in through_pool(stage, rows, work, label):
            total += row[counted]
            progress.advance(**{counted: total})
