"""What fits into a cluster's living nodes."""

from typing import Any

import pytest
import ray

from liax.errors import UserError
from pipelines.cluster import GIB, check_memory, room


def node(cpus: float, memory_gib: float, alive: bool = True) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"CPU": cpus, "memory": memory_gib * GIB}}


@pytest.fixture(autouse=True)
def nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One with plenty of cores, one with plenty of memory, one that only directs, and a dead one."""
    listed = [node(8, 5), node(2, 64), node(0, 64), node(64, 64, alive=False)]
    monkeypatch.setattr(ray, "nodes", lambda: listed)


def test_room_is_what_each_node_holds_by_cores_and_by_memory() -> None:
    assert room(1.0, 2 * GIB) == 2 + 2
    assert room(0.5, 2 * GIB) == 2 + 4
    assert room(4.0, 2 * GIB) == 2


def test_workers_may_lie_on_different_nodes() -> None:
    check_memory([4 * GIB, 60 * GIB])


@pytest.mark.parametrize("workers_gib", [[65], [60, 5.5], [4, 4, 61]])
def test_workers_for_which_no_node_has_the_memory_are_refused(workers_gib: list[float]) -> None:
    with pytest.raises(UserError, match=r"5\.0 \+ 64\.0 GiB"):
        check_memory([int(gib * GIB) for gib in workers_gib])
