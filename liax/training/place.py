"""Where one worker of a training stands among the others, and the few things they do together."""

from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True, slots=True)
class Place:
    """A worker. The process group, if there are several workers, exists before and is not this class's to end."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this worker writes what is written once."""
        return self.rank == 0

    def mean(self, values: dict[str, Tensor]) -> dict[str, float]:
        """Each scalar's mean over all workers."""
        stacked = torch.stack([value.detach().double() for value in values.values()]).to(self.device)
        if self.world_size > 1:
            distributed.all_reduce(stacked)
        return dict(zip(values, (stacked / self.world_size).tolist(), strict=True))

    def wait(self) -> None:
        """Return when every worker has come here."""
        if self.world_size > 1:
            distributed.barrier()


def alone(device: str = "cpu") -> Place:
    """The only worker."""
    return Place(rank=0, world_size=1, device=torch.device(device))
