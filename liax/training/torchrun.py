"""Training by the processes that torchrun has started, on one machine or several. Plain PyTorch: needs no Ray."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import distributed

from liax.errors import JobError, LiaxError, UserError
from liax.training.config import TrainConfig
from liax.training.loop import train
from liax.training.place import LONGEST_WAIT, Place, process_group
from liax.training.records import Numbers

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun tells each process."""
_BEGIN, _ERRORS = "begin", "errors"
"""Keys in the store: whether there is anything to train, and how many processes have had an error."""


def leads() -> bool:
    """Whether this process checks, writes and ships what is to be checked, written and shipped once."""
    return os.environ.get("RANK", "0") == "0"


def of_torchrun(config: TrainConfig) -> TrainConfig:
    """The configuration with as many workers as torchrun has started processes.

    Raises:
        UserError: this process was not started by torchrun, or `workers` is set to another number.
    """
    if any(name not in os.environ for name in VARIABLES):
        raise UserError("run_on=torchrun needs torchrun: torchrun --nproc_per_node 2 -m jobs.train run_on=torchrun …")
    workers = int(os.environ["WORLD_SIZE"])
    if leads() and "workers" in config.model_fields_set and config.workers != workers:  # one line, so one process
        raise UserError(
            f"workers={config.workers}, and torchrun has started {workers}: set workers={workers}, or leave it out"
        )
    return config.model_copy(update={"workers": workers})


def train_here(config: TrainConfig, show: Callable[[int, Numbers], None]) -> None:
    """Train in this process together with torchrun's others, all of which call this.

    The leading one calls it when it has checked everything, or `nothing_to_train`; the others wait for that here. An
    error is raised by the process that had it first; the others end without a word, so that it is told once.

    Args:
        config: from `of_torchrun`.
        show: see `train`.

    Raises:
        UserError: there is no GPU for this process.
        JobError: see `train`; or another process was lost.
        Preempted: SIGTERM came, which torchrun hands on.
        StorageError: checkpoints could not be written.
    """
    store, rank, world_size = _meet()
    if rank == 0:
        store.set(_BEGIN, "yes")
    elif store.get(_BEGIN) == b"no":
        return
    with _told_once(store):
        place = Place(rank, world_size, _device(config))
        try:
            with process_group(place, store), _notice() as told_to_leave:
                train(config, place, show, told_to_leave.is_set)
        except RuntimeError as error:
            if not _of_lost_process(error):
                raise
            raise JobError(
                "another process of the training was lost: the same command continues at the latest checkpoint"
            ) from error


def nothing_to_train() -> None:
    """Let the others end, which wait in `train_here`."""
    _meet()[0].set(_BEGIN, "no")


def _meet() -> tuple[distributed.Store, int, int]:
    """The store by which the processes find each other, this one's rank and how many there are."""
    return next(distributed.rendezvous("env://", timeout=LONGEST_WAIT))


def _device(config: TrainConfig) -> torch.device:
    local_rank = int(os.environ["LOCAL_RANK"])
    if config.device == "cpu":
        return torch.device("cpu")
    if local_rank >= torch.cuda.device_count():
        raise UserError(
            f"device=cuda needs a GPU for each process, and PyTorch finds {torch.cuda.device_count()} on "
            f"{os.uname().nodename}: set torchrun's --nproc_per_node to that, or device=cpu"
        )
    return torch.device("cuda", local_rank)


@contextmanager
def _told_once(store: distributed.Store) -> Iterator[None]:
    """Let one process alone end with its error, the first that has one."""
    try:
        yield
    except LiaxError as error:
        try:
            first = store.add(_ERRORS, 1) == 1
        except RuntimeError:  # the process that holds the store has ended, with its own error
            first = False
        if first:
            raise
        raise SystemExit(error.exit_code) from None


@contextmanager
def _notice() -> Iterator[threading.Event]:
    """Within it SIGTERM does not end the process but sets the event. Nor does it after an error, which is still to be
    told.

    As soon as one process has ended, torchrun sends SIGTERM to the others, and SIGKILL 30 seconds later. The one that
    tells the error first ends its run in MLflow.
    """
    told = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda number, frame: told.set())
    yield told
    signal.signal(signal.SIGTERM, before)


def _of_lost_process(error: RuntimeError) -> bool:
    """Whether a common operation failed because another process is gone. Gloo has no class of its own for it."""
    return isinstance(error, distributed.DistError) or "gloo" in str(error)
