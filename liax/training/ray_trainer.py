"""Training on the workers of Ray Train, which it starts again from the latest checkpoint when one dies."""

import logging
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from liax import storage
from liax.doctor.versions import TRAINING, versions_of
from liax.errors import JobError
from liax.progress import say
from liax.training.board import Board, BoardState, LocalBoard
from liax.training.config import TrainConfig
from liax.training.ray_room import missing_machines_told, resources_per_worker
from liax.training.records import Numbers
from liax.training.restarts import Restarts

LOOK_FOR_NOTICE_EVERY_S = "1"
"""How often Ray Train looks whether a machine is being taken away. Our choice, because some clouds give a spot machine
30 s, of which Ray's own 5 would be much."""
START_WITHIN_S = "20"
"""How long Ray Train waits for the workers' places before it counts anew how many there can be. Our choice, because
Ray takes about that long to know that a node was lost; its own 60 would be spent on waiting for the dead."""
RESIZE_EVERY_S = 60.0
"""How often Ray Train looks whether there can be more workers (Ray's own choice). Each change costs a start."""


class RayBoard:
    """A board that lives in a small actor on the starter's node, so that the workers of any node reach it.

    If the actor is lost, training goes on without: the board stays as it was last read.
    """

    def __init__(self) -> None:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # Not on a node that may be taken away.
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        shared: Any = ray.remote(LocalBoard)
        self._actor: Any = shared.options(num_cpus=0, scheduling_strategy=here).remote()
        self._last = BoardState()

    def show(self, step: int, numbers: Numbers) -> None:
        self._actor.show.remote(step, numbers)

    def fail(self, failure: str) -> None:
        import ray

        with suppress(ray.exceptions.RayActorError):
            ray.get(self._actor.fail.remote(failure))

    def read(self) -> BoardState:
        import ray

        with suppress(ray.exceptions.RayActorError):
            self._last = ray.get(self._actor.read.remote())
        return self._last


def train_on_ray(config: TrainConfig, board: Board) -> None:
    """Run the training loop on workers of Ray Train until its last step.

    Workers that had to leave, because a machine is taken away or there can be more of them, are followed by others.

    Args:
        config: a fixed number of `workers`, or from `least_workers` to `workers` as the cluster has room for them.
        board: where the workers put what they have done.

    Raises:
        JobError: the run cannot go on, or its workers died more than `max_failures` times without a new checkpoint.
        StorageError, UserError: the output could not be reached for long, or refused, when workers were to start again.
        KeyboardInterrupt: Ctrl-C.
    """
    import ray.train

    from liax.training.ray_worker import mark_file

    logging.getLogger("ray.train").setLevel(logging.WARNING)
    os.environ.setdefault("RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S", LOOK_FOR_NOTICE_EVERY_S)
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", START_WITHIN_S)
    mark = uuid.uuid4().hex
    storage.write_bytes(mark_file(config.output), mark.encode())
    finished, restarts = False, Restarts(config.output, config.max_failures)
    while not finished:
        try:
            with _own_interrupts(), missing_machines_told(config):
                finished = bool(_trainer(config, board, mark).fit().return_value)
        except ray.train.WorkerGroupError as error:
            if (failure := board.read().failure) is not None:
                raise JobError(failure) from None
            restarts.count(_last_line(error))
            continue
        except ray.train.TrainingFailedError as error:
            raise JobError(board.read().failure or f"training workers failed: {_last_line(error)}") from None
        except ray.exceptions.RayActorError:
            raise JobError(
                "Ray lost the process that leads the workers: the same command continues at the latest checkpoint"
            ) from None
        except ray.exceptions.RayError as error:
            raise JobError(f"Ray cannot lead the training: {_last_line(error)}") from None
        failure = board.read().failure
        if failure is not None:
            raise JobError(failure)
        if not finished:
            say(f"a machine is being taken away: saved at step {board.read().step}, going on with the others")


def _trainer(config: TrainConfig, board: Board, mark: str) -> Any:
    import ray.train
    from ray.train.torch import TorchTrainer

    from liax.training.ray_worker import GroupConfig, work

    elastic = config.least_workers is not None and config.least_workers < config.workers
    # Any, because Ray's annotations are those of the first Ray Train, which this is not.
    scaling: dict[str, Any] = {
        "num_workers": (config.least_workers, config.workers) if elastic else config.workers,
        "elastic_resize_monitor_interval_s": RESIZE_EVERY_S,
        "use_gpu": config.device == "cuda",
        "resources_per_worker": resources_per_worker(config),
    }
    loop: Any = work
    return TorchTrainer(
        loop,
        train_loop_config={
            "config": config.model_dump(mode="json"),
            "board": board,
            "mark": mark,
            "versions": versions_of(TRAINING),
        },
        torch_config=GroupConfig(),
        scaling_config=ray.train.ScalingConfig(**scaling),
        run_config=ray.train.RunConfig(
            name="workers",
            storage_path=storage.join(config.output, "ray"),
            # Each ends `fit`: Ray would count all failures of a run, however far it came in between, see `Restarts`.
            # Those that were told as the taking of a machine it counts apart, and goes on without end.
            failure_config=ray.train.FailureConfig(max_failures=0),
        ),
    )


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Turn Ray Train's answer to Ctrl-C, an exit that counts as success, into Python's, and take its handler away."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if threading.current_thread() is threading.main_thread():  # Ray sets its handler there alone, and so may we
            signal.signal(signal.SIGINT, before)


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
