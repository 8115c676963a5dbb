"""Training on the workers of Ray Train, which it starts again from the latest checkpoint when one dies."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from liax import storage
from liax.errors import JobError, LiaxError, StorageError, UserError
from liax.training.board import Board, BoardState, LocalBoard
from liax.training.config import TrainConfig
from liax.training.records import Numbers


class RayBoard:
    """A board that lives in a small actor, so that the workers of any node reach it.

    If the actor is lost, with its node, training goes on without: the board stays as it was last read.
    """

    def __init__(self) -> None:
        import ray

        self._actor: Any = ray.remote(num_cpus=0)(LocalBoard).remote()
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


def require_resources(config: TrainConfig) -> None:
    """Raise UserError if the cluster is too small; Ray would wait for more without a word."""
    import ray

    cluster = ray.cluster_resources()
    needed = {"CPU": config.workers * config.cpus_per_worker}
    if config.device == "cuda":
        needed["GPU"] = config.workers
    for kind, count in needed.items():
        if cluster.get(kind, 0) < count:
            raise UserError(
                f"training needs {count} {kind}s (workers={config.workers}) and the Ray cluster has "
                f"{cluster.get(kind, 0):g}: set fewer workers, or cpus_per_worker"
            )


def train_on_ray(config: TrainConfig, board: Board) -> None:
    """Run the training loop on `config.workers` workers until its last step.

    Raises:
        JobError: the run cannot go on, or its workers died more than `max_failures` times.
        KeyboardInterrupt: Ctrl-C.
    """
    import ray.train
    from ray.train.torch import TorchConfig, TorchTrainer

    logging.getLogger("ray.train").setLevel(logging.WARNING)
    resources = {"CPU": float(config.cpus_per_worker)} | ({"GPU": 1.0} if config.device == "cuda" else {})
    trainer = TorchTrainer(
        _work,
        train_loop_config={"config": config.model_dump(mode="json"), "board": board},
        torch_config=TorchConfig(backend="gloo" if config.device == "cpu" else "nccl"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=config.workers, use_gpu=config.device == "cuda", resources_per_worker=resources
        ),
        run_config=ray.train.RunConfig(
            name="workers",
            storage_path=storage.join(config.output, "ray"),
            failure_config=ray.train.FailureConfig(max_failures=config.max_failures),
        ),
    )
    try:
        with _own_interrupts():
            trainer.fit()
    except ray.train.TrainingFailedError as error:
        raise JobError(board.read().failure or f"training workers failed: {_last_line(error)}") from None
    failure = board.read().failure
    if failure is not None:
        raise JobError(failure)


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


def _work(parameters: dict[str, Any]) -> None:
    """What each worker runs."""
    import ray.train
    import torch

    from liax.training.loop import train
    from liax.training.place import Place

    board: Board = parameters["board"]
    if board.read().failure is not None:
        return  # Ray has started the workers again after an error that would only repeat
    config = TrainConfig.model_validate(parameters["config"])
    context = ray.train.get_context()
    device = torch.device("cpu" if config.device == "cpu" else f"cuda:{context.get_local_rank()}")
    try:
        train(config, Place(context.get_world_rank(), context.get_world_size(), device), board.show)
    except StorageError:
        raise  # Ray starts the workers again: it may have passed
    except LiaxError as error:
        board.fail(str(error))
        raise


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
