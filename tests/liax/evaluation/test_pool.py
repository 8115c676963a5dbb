"""How many workers there are, and that none is waited for that fits nowhere."""

from pathlib import Path
from typing import Any

import pytest

from liax.errors import UserError
from liax.evaluation.pool import workers
from tests.liax.evaluation.evaluated import configure


@pytest.mark.parametrize(("nodes", "settings", "wanted"), [
    ([{"CPU": 4.0}, {"CPU": 1.5}], {}, (5, 5, 0)),
    ([{"CPU": 4.0}, {"CPU": 1.5}], {"workers": 2}, (2, 5, 0)),
    ([{"CPU": 3.0}, {"CPU": 3.0}], {"cpus_per_worker": 2}, (2, 2, 0)),  # not three of six cores
    ([{"CPU": 8.0}, {"CPU": 8.0, "GPU": 2.0}], {}, (2, 2, 1)),
    ([{"CPU": 8.0, "GPU": 2.0}], {"gpus_per_worker": 0.5}, (4, 4, 0.5)),
    ([{"CPU": 8.0, "GPU": 2.0}], {"device": "cpu"}, (8, 8, 0)),
])  # fmt: skip
def test_workers_are_as_many_as_whole_nodes_hold(
    nodes: list[dict[str, float]],
    settings: dict[str, Any],
    wanted: tuple[int, int, float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import ray

    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": node} for node in nodes])
    assert workers(configure("m", "s", tmp_path, **settings), items=50) == wanted


def test_a_worker_that_fits_nowhere_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 1.0}}] * 4)
    with pytest.raises(UserError, match=r"no node of the Ray cluster has room for a worker \(2 CPU\)"):
        workers(configure("m", "s", tmp_path, cpus_per_worker=2), items=50)
    with pytest.raises(UserError, match=r"\(1 CPU, 1 GPU\)"):
        workers(configure("m", "s", tmp_path, gpus_per_worker=1), items=50)
