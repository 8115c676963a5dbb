"""Room for the workers on a Ray cluster's machines: required at the start, and missed aloud while training runs."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from liax import ray_session
from liax.errors import UserError
from liax.progress import say
from liax.training.config import TrainConfig

LOOK_EVERY_S = 5.0
"""How often the machines are counted while training runs. Our choice, because Ray itself takes about 20 s to know that
one was lost."""


def resources_per_worker(config: TrainConfig) -> dict[str, float]:
    """What each worker takes, by Ray's names."""
    return {"CPU": float(config.cpus_per_worker)} | ({"GPU": 1.0} if config.device == "cuda" else {})


def require_resources(config: TrainConfig) -> None:
    """Raise UserError if the cluster has no room for the fewest workers, or none for what decodes for them.

    Ray would wait for it without a word.
    """
    room, fewest = _room(config), _fewest(config)
    if room < fewest:
        raise UserError(
            f"training needs {_workers(config)} and the Ray cluster has room for {room}: "
            "set fewer workers, or cpus_per_worker, or add machines"
        )
    if config.data.ingest == "ray":
        from liax.training.ray_ingest import require_cores

        require_cores(config.workers, config.cpus_per_worker)


@contextmanager
def missing_machines_told(config: TrainConfig) -> Iterator[None]:
    """Meanwhile, say when so many machines are lost that training waits for others, and when it need wait no longer."""
    done = threading.Event()

    def look() -> None:
        from ray.exceptions import RayError

        waits = False
        while not done.wait(LOOK_EVERY_S):
            with suppress(RayError):  # where Ray itself is lost, the training's end says so
                room = _room(config)
                if waits != (room < _fewest(config)):
                    waits = not waits
                    say(_waits(config, room) if waits else "there is room for the workers again")

    thread = threading.Thread(target=look, name="count-machines", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _waits(config: TrainConfig, room: int) -> str:
    return (
        f"training waits for machines: it needs {_workers(config)} and the Ray cluster has room for {room}; add "
        "machines, or stop it and give the same command with fewer workers"
    )


def _room(config: TrainConfig) -> int:
    """How many workers the living machines hold, were they empty."""
    return ray_session.room(resources_per_worker(config))


def _fewest(config: TrainConfig) -> int:
    return config.workers if config.least_workers is None else config.least_workers


def _workers(config: TrainConfig) -> str:
    each, fewest = resources_per_worker(config), _fewest(config)
    size = " and ".join(f"{count:g} {kind}{'s' if count > 1 else ''}" for kind, count in each.items())
    return f"{fewest} worker{'s' if fewest > 1 else ''} of {size} each"
