"""Where one worker of a training stands among the others, and the few things they do together."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed

LONGEST_WAIT = timedelta(minutes=30)
"""How long a worker waits for the others before it gives them up. Torch's for Gloo; NCCL's own 10 minutes are fewer
than the leading worker may spend on storage that is away."""


@dataclass(frozen=True, slots=True)
class Place:
    """A worker. What several do together needs `process_group` round it."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this worker writes what is written once."""
        return self.rank == 0

    def mean(self, values: dict[str, Tensor]) -> dict[str, float]:
        """Each scalar's mean over all workers."""
        # Each to the device first: some come from there and some are the loop's own, and only equals can be stacked.
        stacked = torch.stack([value.detach().to(self.device, torch.float64) for value in values.values()])
        if self.world_size > 1:
            distributed.all_reduce(stacked)
        return dict(zip(values, (stacked / self.world_size).tolist(), strict=True))

    def any(self, mine: bool) -> bool:
        """Whether it is so on any worker."""
        if self.world_size == 1:
            return mine
        flag = torch.tensor(float(mine), device=self.device)
        distributed.all_reduce(flag, op=distributed.ReduceOp.MAX)
        return bool(flag.item())

    def of_leader(self, mine: str) -> str:
        """What the leading worker has said; what the others say has no meaning."""
        if self.world_size == 1:
            return mine
        text = bytearray(mine.encode() if self.leads else b"")
        size = torch.tensor(len(text), device=self.device)
        distributed.broadcast(size, src=0)
        letters = torch.frombuffer(text, dtype=torch.uint8) if text else torch.empty(int(size), dtype=torch.uint8)
        letters = letters.to(self.device)
        distributed.broadcast(letters, src=0)
        return bytes(letters.tolist()).decode()


def alone(device: str = "cpu") -> Place:
    """The only worker."""
    return Place(rank=0, world_size=1, device=torch.device(device))


def talk_from(address: str) -> None:
    """Let Gloo use the network in which this machine has that address, unless `GLOO_SOCKET_IFNAME` names another.

    By itself it takes the address of the host's name, which Debian's systems give one of loopback that no other machine
    reaches. NCCL looks for a network by itself. Call it before `process_group`.

    Args:
        address: of this machine, by which others know it.
    """
    import psutil

    for interface, addresses in psutil.net_if_addrs().items():
        if address in [one.address for one in addresses]:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)


@contextmanager
def process_group(place: Place, store: distributed.Store, longest_wait: timedelta = LONGEST_WAIT) -> Iterator[None]:
    """Join the other workers: NCCL on GPUs, Gloo on CPUs.

    Args:
        place: of this worker.
        store: by which the workers find each other.
        longest_wait: how long the others are waited for.
    """
    on_gpu = place.device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(place.device)  # before NCCL, which would take the first GPU on every worker
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        store=store,
        rank=place.rank,
        world_size=place.world_size,
        timeout=longest_wait,
        device_id=place.device if on_gpu else None,
    )
    yield
    # Not after an error: the others may be gone, and NCCL would wait for them. The process ends then anyway.
    distributed.destroy_process_group()
