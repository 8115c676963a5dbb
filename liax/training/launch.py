"""A whole training from its configuration: checks, workers, tracking and progress."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from liax import ray_session, storage
from liax.progress import Progress, say
from liax.tracking.follower import Follower, open_follower
from liax.training.board import Board, LocalBoard
from liax.training.checkpoint import latest_checkpoint
from liax.training.config import TrainConfig
from liax.training.plan import require_memory
from liax.training.run import check
from liax.training.summary import complete_summary
from liax.weights import VGG19

_LOOK_EVERY_S = 0.5
_SHOWN = ("l1", "adversarial", "val/l1")


def launch(config: TrainConfig) -> None:
    """Train to the last step; the same configuration again continues, or says that there is nothing left to do.

    Raises:
        UserError: the configuration, its shards, output or tracking address cannot be used; nothing was started.
        JobError: training failed.
    """
    # Workers have other working folders, perhaps on other machines.
    config = with_absolute_names(config)
    if config.run_on == "torchrun":
        from liax.training import torchrun

        config = torchrun.of_torchrun(config)
        if not torchrun.leads():
            torchrun.train_here(config, lambda step, numbers: None)
            return
    _lead(config)


def _lead(config: TrainConfig) -> None:
    """What one process does for all: checks, tracking, and telling how it went."""
    set_id = check(config)
    saved = latest_checkpoint(config.output)
    trained = saved is not None and saved.state.step == config.steps
    if not trained:
        require_memory(config)
    follower = open_follower(config, set_id, trained=trained)
    try:
        if trained:
            complete_summary(config)
        if config.run_on == "torchrun":
            _train_by_torchrun(config, follower, trained=trained)
        elif not trained and config.run_on == "process":
            _train_here(config, follower)
        elif not trained:
            _train_on_ray(config, follower)
    except BaseException:  # whatever ended it, Ctrl-C too: without this the run would stay "running" in MLflow for ever
        follower.finish("FAILED")
        raise
    follower.finish("FINISHED", bounded=not trained)  # where there was nothing to train, no machine waits
    if trained:
        say(f"{config.output} is trained already, {config.steps} steps: nothing to do")
    else:
        say(f"trained {config.steps} steps; checkpoints, metrics and pictures are in {config.output}")


def with_absolute_names(config: TrainConfig) -> TrainConfig:
    """The configuration with the names of files and folders from the root."""
    loss, data = config.loss, config.data
    weights, given = loss.perceptual_weights, os.environ.get(VGG19.variable)
    if not weights and given and (not is_local(given) or "RAY_ADDRESS" not in os.environ):
        # The variable too: workers of a cluster do not have it. A file of this machine is not for others to look for.
        weights = given
    if weights and loss.perceptual == "vgg":
        loss = loss.model_copy(update={"perceptual_weights": absolute(weights)})
    if data.cache_folder is not None:
        data = data.model_copy(update={"cache_folder": absolute(data.cache_folder)})
    names = {"shards": absolute(config.shards), "output": absolute(config.output)}
    return config.model_copy(update={**names, "loss": loss, "data": data})


def absolute(url: str) -> str:
    """A local path from the root; an s3:// or https:// name as it is."""
    return str(Path(url).absolute()) if is_local(url) else url


def is_local(url: str) -> bool:
    """Whether a name is a path, and no s3:// or https:// one."""
    return not (storage.is_s3(url) or url.startswith("https://"))


def _train_here(config: TrainConfig, follower: Follower) -> None:
    from liax.training.loop import train
    from liax.training.place import alone

    board = LocalBoard()
    with _followed(config, board, follower):
        train(config, alone(config.device), board.show)


def _train_by_torchrun(config: TrainConfig, follower: Follower, *, trained: bool) -> None:
    from liax.training import torchrun

    if trained:
        torchrun.nothing_to_train()
        return
    board = LocalBoard()
    with _followed(config, board, follower):
        torchrun.train_here(config, board.show)


def _train_on_ray(config: TrainConfig, follower: Follower) -> None:
    from liax.training.ray_room import require_resources
    from liax.training.ray_trainer import RayBoard, train_on_ray

    with ray_session.session():
        require_resources(config)
        board = RayBoard()
        with _followed(config, board, follower):
            train_on_ray(config, board)


@contextmanager
def _followed(config: TrainConfig, board: Board, follower: Follower) -> Iterator[None]:
    """While the training runs, draw its progress and tend what ships its records, in a thread: it waits for neither."""
    done = threading.Event()

    def follow() -> None:
        with Progress(config.steps, "training", "step") as progress:
            shown = 0
            while True:
                last_look = done.wait(_LOOK_EVERY_S)
                state = board.read()
                numbers = {name: f"{state.numbers[name]:.3f}" for name in _SHOWN if name in state.numbers}
                if state.step != shown:
                    progress.advance(state.step - shown, **numbers)
                    shown = state.step
                follower.tend()
                if last_look:
                    return

    follower.start()
    thread = threading.Thread(target=follow, name="follow-training", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
