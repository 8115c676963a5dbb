"""A group of workers as a training makes it, over all GPUs or, without any, all nodes: do they add up right, how fast?

The driver holds the store by which the workers meet, so that it knows how far each of them came.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from liax.doctor.findings import Finding
from liax.doctor.nodes import SHOW_DEVICES, Node, collect, pinned

if TYPE_CHECKING:
    import torch
    from torch.distributed import TCPStore

CHECK = "all-reduce"
MIB_ON_GPU, MIB_ON_CPU = 256, 16
"""What is added up. Our choice: gradients of some ten million weights and more are so large on GPUs (`liax model info`
tells), and Gloo is slow enough to be measured with less."""
REPEATS = 3
SLOW_BYTES_PER_S = 1e9
"""Bus bandwidth between GPU machines below which a warning is given. Our choice, because ten-gigabit Ethernet gives
more, and no machine with GPUs for training has less: then NCCL has taken another, slow network."""
STAGES = ("started", "met", "joined", "added")
"""How far a worker came: its process is there, it reached the driver, it joined the group, it added up."""
WAITED_SHARE = 0.9
"""Of the limit. A worker that fails later has waited for others; one that fails before has a reason of its own, or is
the victim of one that has, and then comes after it (our choice)."""
_TURN = "failed"
"""Key in the store: how many have failed."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What a worker got.

    Args:
        right: whether the sum was.
        bus_bytes_per_s: bus bandwidth as nccl-tests define it (its doc/PERFORMANCE.md): bytes × 2 (n - 1) / n / time.
    """

    right: bool
    bus_bytes_per_s: float


@dataclass(frozen=True, slots=True)
class Worker:
    """A place in the group.

    Args:
        rank: its number.
        node: the name of its node.
        reached: the last of `STAGES` that it came to; empty for none.
        sum: what it got; None if it did not come to that.
        failure: what went wrong in one line; empty if nothing did.
        turn: as which it failed, 1 for the first; None if it did not, or only waited in vain.
    """

    rank: int
    node: str
    reached: str
    sum: Sum | None = None
    failure: str = ""
    turn: int | None = None


class Member:
    """A worker of the group."""

    def add_up(self, rank: int, world_size: int, meeting: tuple[str, int], on_gpu: bool, limit_s: float) -> Sum:
        """Join the others as training workers do, and add up a tensor with them.

        Args:
            rank: this worker's.
            world_size: how many there are.
            meeting: address and port of the driver's store.
            on_gpu: whether by NCCL, on the GPU that Ray gave this worker, else by Gloo.
            limit_s: how long others are waited for.
        """
        import ray
        import torch
        from torch.distributed import TCPStore

        from liax.training.place import Place, process_group, talk_from

        wait, began = timedelta(seconds=limit_s), time.monotonic()
        store = TCPStore(*meeting, is_master=False, wait_for_workers=False, timeout=wait)
        reach(store, rank, "met")
        try:
            place = Place(rank, world_size, _given_device() if on_gpu else torch.device("cpu"))
            talk_from(ray.util.get_node_ip_address())
            with process_group(place, store, wait):
                reach(store, rank, "joined")
                found = _measure(place.device, rank, world_size)
        except BaseException:
            if time.monotonic() - began < WAITED_SHARE * limit_s:  # not for others that did not come
                store.set(f"{_TURN}/{rank}", str(store.add(_TURN, 1)))
            raise
        reach(store, rank, "added")
        return found

    def start(self) -> None:
        """Nothing; who hears of its end knows that this process is there."""


def check_collective(nodes: Sequence[Node], limit_s: float) -> list[Finding]:
    """Make the group on the nodes and judge it.

    Args:
        nodes: that are to take part: those with GPUs, else those with cores.
        limit_s: how long each step may take.
    """
    import ray
    from torch.distributed import TCPStore

    if not nodes:
        return [Finding(CHECK, "not checked", "no machine's GPUs work: mend those first")]
    on_gpu = any(node.gpus for node in nodes)
    seats = [node for node in nodes for _ in range(node.gpus if on_gpu else int(node.cpus > 0))]
    if len(seats) < 2 and not on_gpu:
        return [Finding(CHECK, "not checked", "one machine computes, without GPUs: there is nobody to add up with")]
    host = ray.util.get_node_ip_address()
    store = TCPStore(host, 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=limit_s))
    actor: Any = ray.remote(num_cpus=0, num_gpus=1 if on_gpu else 0)(Member)
    environment = SHOW_DEVICES if on_gpu else None
    members = [actor.options(**pinned(node, environment)).remote() for node in seats]
    try:
        started, absent = collect({member.start.remote(): str(rank) for rank, member in enumerate(members)}, limit_s)
        sums: dict[str, Any] = {}
        failed: dict[str, str] = dict(absent)
        if not absent:  # else all the others would wait for the limit, for nothing
            calls = {
                member.add_up.remote(rank, len(seats), (host, store.port), on_gpu, limit_s): str(rank)
                for rank, member in enumerate(members)
            }
            # A little longer, so that a worker can say itself whom it waited for.
            sums, failed = collect(calls, limit_s + 10)
        workers = [
            Worker(
                rank,
                node.name,
                _reached(store, rank, started),
                sums.get(str(rank)),
                failed.get(str(rank), ""),
                int(store.get(f"{_TURN}/{rank}")) if store.check([f"{_TURN}/{rank}"]) else None,
            )
            for rank, node in enumerate(seats)
        ]
    finally:
        for member in members:
            ray.kill(member)
    return judge_collective(workers, on_gpu=on_gpu)


def judge_collective(workers: Sequence[Worker], *, on_gpu: bool) -> list[Finding]:
    """Judge how far the workers came: where some are behind the others, those are named, for the others wait for them.

    Args:
        workers: all of them.
        on_gpu: whether they used NCCL, else Gloo.
    """
    name = "NCCL" if on_gpu else "Gloo"
    wrong = tuple(dict.fromkeys(worker.node for worker in workers if worker.sum is not None and not worker.sum.right))
    if wrong:
        mend = "take those machines out: their GPUs, memory or network give wrong numbers"
        return [Finding(CHECK, "wrong", f"the sum by {name} is wrong", mend, wrong)]
    sums = [worker.sum for worker in workers if worker.sum is not None]
    if len(sums) == len(workers):
        return [_judge_speed(workers, sums, name)]
    steps = {worker.rank: ("", *STAGES).index(worker.reached) for worker in workers}
    last = min(steps.values())
    behind = [worker for worker in workers if steps[worker.rank] == last]
    first = min((worker.turn for worker in workers if worker.turn is not None), default=None)
    if first is not None and last > 1:
        behind = [worker for worker in workers if worker.turn == first]
        last = steps[behind[0].rank]
    seen = {
        0: "its workers did not start",
        1: "its workers do not reach the process that started them",
        2: f"its workers did not join the others by {name}",
    }.get(last, f"its workers joined, and the sum by {name} did not come")
    return [
        Finding(
            CHECK, "wrong", f"{seen} ({worker.failure or 'the others failed'})", _mend(last, on_gpu), (worker.node,)
        )
        for worker in behind
    ]


def reach(store: "TCPStore", rank: int, stage: str) -> None:
    """Let the driver know how far a worker came."""
    store.set(f"{stage}/{rank}", "yes")


def _reached(store: "TCPStore", rank: int, started: Mapping[str, Any]) -> str:
    if str(rank) not in started:
        return ""
    known = [stage for stage in STAGES[1:] if store.check([f"{stage}/{rank}"])]
    return known[-1] if known else STAGES[0]


def _judge_speed(workers: Sequence[Worker], sums: Sequence[Sum], name: str) -> Finding:
    nodes = tuple(dict.fromkeys(worker.node for worker in workers))
    if len(workers) == 1:
        return Finding(CHECK, "ok", f"{name} works; one worker has nobody to add up with", nodes=nodes)
    slowest = min(found.bus_bytes_per_s for found in sums)
    seen = f"{len(workers)} workers add up right by {name}, at {slowest / 1e9:.2f} GB/s (bus bandwidth)"
    if name == "NCCL" and len(nodes) > 1 and slowest < SLOW_BYTES_PER_S:
        mend = (
            "if the machines have a faster network, name it before `ray start`: NCCL_SOCKET_IFNAME=…; "
            "NCCL_DEBUG=INFO shows which one is taken"
        )
        return Finding(CHECK, "warning", f"{seen}: a slow network for training", mend, nodes)
    return Finding(CHECK, "ok", seen, nodes=nodes)


def _mend(last: int, on_gpu: bool) -> str:
    if last == 0:
        return "wait for, or stop, the job that has the GPUs (`ray status`)" if on_gpu else "see Ray's logs there"
    if last == 1 or not on_gpu:
        return "see what `network` says; if the machine has several networks, GLOO_SOCKET_IFNAME=… before `ray start`"
    return (
        "see what `network` and `shared memory` say; if the machine has several networks, NCCL_SOCKET_IFNAME=… before "
        "`ray start` names the right one; NCCL_DEBUG=INFO there tells more in the worker's log"
    )


def _given_device() -> "torch.device":
    """The GPU that Ray has reserved, by the number that it has in this process, which sees all of them."""
    import ray
    import torch

    given, visible = str(ray.get_gpu_ids()[0]), os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return torch.device("cuda", visible.split(",").index(given) if visible else int(given))


def _measure(device: "torch.device", rank: int, world_size: int) -> Sum:
    import torch
    from torch import distributed

    size = (MIB_ON_GPU if device.type == "cuda" else MIB_ON_CPU) * 1024**2 // 4  # float32
    wanted = world_size * (world_size + 1) / 2
    right, fastest_s = True, float("inf")
    for _ in range(1 + REPEATS):  # the first one makes the connections
        ranks = torch.full((size,), float(rank + 1), device=device)
        distributed.barrier()
        began = time.perf_counter()
        distributed.all_reduce(ranks)
        right = right and bool((ranks == wanted).all())  # which waits for the GPU, too
        fastest_s = min(fastest_s, time.perf_counter() - began)
    return Sum(right, size * 4 * 2 * (world_size - 1) / world_size / fastest_s)
