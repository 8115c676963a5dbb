"""Items through a pool of actors of Ray Data, each with a model of its own, as many as are of use and have room."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from liax import ray_data, ray_session
from liax.doctor.versions import require_equal
from liax.errors import UserError
from liax.evaluation.data_config import DataConfig

LIBRARIES = ("python", "liax", "torch", "numpy", "av", "mediapipe")
"""What all nodes must agree in, for one node's numbers to be comparable with another's."""


class _Work(Protocol):
    """A frozen dataclass: what every worker is told."""

    @property
    def config(self) -> DataConfig: ...


def through_pool(stage: type, items: Sequence[dict[str, Any]], work: _Work, label: str) -> Iterator[dict[str, Any]]:
    """Each item through an actor of a pool, which makes `stage(work)` once and calls it with each. Ray must be running.

    Args:
        stage: a class whose objects are called with an item and return a row.
        items: rows.
        work: a frozen dataclass with the job's settings as `config`.
        label: what is done, for messages.

    Raises:
        UserError: no node has room for a worker, or the nodes have different versions.
        JobError: a worker failed in a way that is no item's fault.
    """
    require_equal(LIBRARIES)
    config = work.config
    most, room, gpus = workers(config, len(items))
    # Ray hides no GPU from workers that reserve none: all of them would take the first.
    if config.device == "auto" and not gpus:
        config = config.model_copy(update={"device": "cpu"})
        work = replace(work, config=config)  # type: ignore[type-var]  # a dataclass, which no protocol can ask for
    rows = ray_data.dataset(items).map(
        ray_data.actor(stage),
        fn_constructor_args=[work],
        compute=ray_data.pool(most, room),
        num_cpus=config.cpus_per_worker,
        num_gpus=gpus,
    )
    yield from ray_data.rows(rows, label)


def workers(config: DataConfig, items: int) -> tuple[int, int, float]:
    """How many workers are of use, for how many the nodes have room, and the GPUs of each.

    Raises:
        UserError: no node has room for one, which would be waited for without end.
    """
    import ray

    gpus = config.gpus_per_worker
    if gpus is None:
        there = any(node["Alive"] and node["Resources"].get("GPU") for node in ray.nodes())
        gpus = 1.0 if config.device != "cpu" and there else 0.0
    each = {"CPU": config.cpus_per_worker} | ({"GPU": gpus} if gpus else {})
    room = ray_session.room(each)
    if room < 1:
        needs = ", ".join(f"{amount:g} {name}" for name, amount in each.items())
        raise UserError(
            f"no node of the Ray cluster has room for a worker ({needs}): lower cpus_per_worker or "
            "gpus_per_worker, or add machines"
        )
    return min(items, config.workers or room), room, gpus
