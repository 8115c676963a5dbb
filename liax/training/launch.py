"""A whole training from its configuration: checks, workers, tracking and progress."""

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
from liax.training.loop import complete_summary
from liax.training.run import check

_LOOK_EVERY_S = 0.5
_SHOWN = ("l1", "adversarial", "val/l1")


def launch(config: TrainConfig) -> None:
    """Train to the last step; the same configuration again continues, or says that there is nothing left to do.

    Raises:
        UserError: the configuration, its shards, output or tracking address cannot be used; nothing was started.
        JobError: training failed.
    """
    # Workers have other working folders, perhaps on other machines.
    config = config.model_copy(update={"shards": absolute(config.shards), "output": absolute(config.output)})
    set_id = check(config)
    saved = latest_checkpoint(config.output)
    trained = saved is not None and saved.state.step == config.steps
    follower = open_follower(config, set_id, trained=trained)
    try:
        if trained:
            complete_summary(config)
        elif config.run_on == "process":
            _train_here(config, follower)
        else:
            _train_on_ray(config, follower)
    except BaseException:  # whatever ended it, Ctrl-C too: without this the run would stay "running" in MLflow for ever
        follower.finish("FAILED")
        raise
    follower.finish("FINISHED", bounded=not trained)  # where there was nothing to train, no machine waits
    if trained:
        say(f"{config.output} is trained already, {config.steps} steps: nothing to do")
    else:
        say(f"trained {config.steps} steps; checkpoints, metrics and pictures are in {config.output}")


def absolute(url: str) -> str:
    """A local path from the root; an s3:// name as it is."""
    return url if storage.is_s3(url) else str(Path(url).absolute())


def _train_here(config: TrainConfig, follower: Follower) -> None:
    from liax.training.loop import train
    from liax.training.place import alone

    board = LocalBoard()
    with _followed(config, board, follower):
        train(config, alone(config.device), board.show)


def _train_on_ray(config: TrainConfig, follower: Follower) -> None:
    from liax.training.ray_trainer import RayBoard, require_resources, train_on_ray

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
