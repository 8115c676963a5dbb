"""What each worker of Ray Train does: find its place among the others, train, and leave in time. Imported where Ray is.

A worker that Ray has started beside the number that can share the batch stands by: it waits, and ends with the others.
"""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.collective
import ray.train.torch
import torch
from ray.train.backend import Backend
from ray.train.v2._internal.execution.context import get_train_context
from torch.distributed import TCPStore

from liax import storage
from liax.doctor.versions import require_same
from liax.errors import LiaxError, ProcessDied, StorageError, UserError
from liax.training.board import Board
from liax.training.config import TrainConfig
from liax.training.loop import Preempted, train
from liax.training.place import LONGEST_WAIT, Place, process_group, talk_from
from liax.training.share import usable_workers

LEAVE_WITHIN_S = 120.0
"""What workers are given to end their step and save the state before Ray starts them again in another number. Our
choice, because a spot machine of AWS gets as much; after it, the steps since the last checkpoint are done again."""

_asked = threading.Event()
"""This process was told to leave."""
_left = threading.Event()
"""Training in this process has ended, one way or the other."""


def work(parameters: dict[str, Any]) -> bool:
    """Train on this worker, as Ray Train calls it.

    Args:
        parameters: `config`, as `TrainConfig.model_dump` gives it; `board`; `mark`, see `require_shared`; `versions`,
            see `require_same`.

    Returns:
        Whether training is finished; else it goes on with other workers.
    """
    try:
        config = TrainConfig.model_validate(parameters["config"])
        return _work(config, parameters["board"], parameters["mark"], parameters["versions"])
    finally:
        _left.set()


def _work(config: TrainConfig, board: Board, mark: str, versions: dict[str, str]) -> bool:
    if board.read().failure is not None:
        return False  # Ray has started the workers again after an error that would only repeat
    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), usable_workers(config.batch, context.get_world_size())
    finished = True
    try:
        require_same(versions, ray.util.get_node_ip_address())
        require_shared(config, mark, ray.util.get_node_ip_address())
        store = _meet(rank)
        if rank < world_size:
            place = Place(rank, world_size, _device(config))
            _tell_deepspeed(place)
            talk_from(ray.util.get_node_ip_address())
            with process_group(place, store):
                train(config, place, board.show, told_to_leave)
    except Preempted:
        finished = False
    except (StorageError, ProcessDied):
        raise  # Ray starts the workers again: it may have passed
    except LiaxError as error:
        board.fail(str(error))
        raise
    ray.train.collective.barrier()  # where those that stand by have waited; if one that trains fails, Ray ends them
    return finished


def told_to_leave() -> bool:
    """Whether Ray takes this worker's machine, or another's of the group, away, or has told this process to end.

    Ray's own call for the first is a meeting of all workers in an actor, too slow for every step. This reads what that
    call would return of this worker alone; Ray Train puts it there, on every worker, from a process that looks.
    """
    return _asked.is_set() or get_train_context().preemption_context.preemption_info is not None


def require_shared(config: TrainConfig, mark: str, node: str) -> None:
    """Raise UserError if this machine has other folders than the one that started the training.

    Args:
        config: names shards and output.
        mark: what the starter has written to `mark_file(output)`.
        node: name of this machine.
    """
    advice = "use a folder that all machines share, or s3://"
    if not storage.is_s3(config.shards) and not Path(config.shards).is_dir():
        raise UserError(f"the shards {config.shards} are not on node {node}: {advice}")
    if not storage.is_s3(config.output):
        file = Path(mark_file(config.output))
        if not file.is_file() or file.read_text() != mark:
            raise UserError(f"the output {config.output} is not the same folder on node {node}: {advice}")


def mark_file(output: str) -> str:
    """The file by which workers know the starter's output."""
    return storage.join(output, "ray", "start")


def _device(config: TrainConfig) -> torch.device:
    if config.device == "cpu":
        return torch.device("cpu")
    device = ray.train.torch.get_device()
    if device.type != "cuda":
        raise UserError(f"device=cuda, and PyTorch finds no GPU on node {ray.util.get_node_ip_address()}")
    return device


def _meet(rank: int) -> TCPStore:
    """The store by which the workers make their process group; every worker calls it, those that stand by too."""
    host, own = ray.util.get_node_ip_address(), None
    if rank == 0:
        own = TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=LONGEST_WAIT)  # at a free port
    host, port = ray.train.collective.broadcast_from_rank_zero(None if own is None else (host, own.port))
    return TCPStore(host, port, is_master=False, wait_for_workers=False, timeout=LONGEST_WAIT) if own is None else own


def _tell_deepspeed(place: Place) -> None:
    """Set the variables from which DeepSpeed takes its place; the process group it finds."""
    local_rank = place.device.index if place.device.type == "cuda" else ray.train.get_context().get_local_rank()
    os.environ.update(RANK=str(place.rank), WORLD_SIZE=str(place.world_size), LOCAL_RANK=str(local_rank))


class GroupConfig(ray.train.torch.TorchConfig):
    """Leaves the process group to the workers, which know how many of them can share the batch."""

    @property
    def backend_cls(self) -> type[Backend]:
        return _Group


class _Group(Backend):
    """What Ray Train's controller does with a group of workers before and after training."""

    share_cuda_visible_devices = True  # as NCCL wants it between the GPUs of a machine

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        worker_group.execute(_listen)

    def on_shutdown(self, worker_group: Any, backend_config: Any) -> None:
        """Let workers that Ray is about to end, because there can be more or fewer of them, save the state first."""
        status = worker_group.get_latest_poll_status()
        if status is not None and not status.errors and not status.finished:
            worker_group.execute(_leave)


def _listen() -> None:
    """Take SIGTERM for notice. Ray calls it in the main thread, where alone it may be done, and training in another."""
    signal.signal(signal.SIGTERM, lambda number, frame: _asked.set())


def _leave() -> None:
    """Wait until training has ended here, which it does after its present step."""
    if told_to_leave():
        return  # it was told before, and Ray has waited already
    _asked.set()
    _left.wait(LEAVE_WITHIN_S)
