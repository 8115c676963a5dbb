"""How a step's pairs are shared out: among workers, and by each worker among micro-batches."""

from dataclasses import dataclass

from liax.errors import UserError
from liax.model.discriminator import GROUP
from liax.model.layers import largest_divisor


@dataclass(frozen=True, slots=True)
class Share:
    """One worker's part of every step; all workers' parts are equal."""

    batch: int
    """Pairs of a step, all workers together."""
    world_size: int
    micro_batches: int
    """That each worker computes one after the other."""

    @property
    def pairs(self) -> int:
        """Of a micro-batch."""
        return self.batch // (self.world_size * self.micro_batches)


def divide(batch: int, world_size: int, most_pairs: int | None) -> Share:
    """Share out a batch in as few micro-batches as possible.

    Args:
        batch: pairs of a step.
        world_size: number of workers.
        most_pairs: of a micro-batch (`compute.micro_batch`); None for no limit.

    Raises:
        UserError: the batch cannot be divided so that every micro-batch holds whole groups of the discriminator's
            minibatch deviation. Then the result would depend on the number of workers.
    """
    group = largest_divisor(batch, GROUP)
    if batch % world_size:
        raise UserError(f"batch={batch} cannot be divided among {world_size} workers")
    share = batch // world_size
    if share % group:
        raise UserError(
            f"each of {world_size} workers would have {share} of batch={batch} pairs, which is no multiple of {group}, "
            f"the group of the discriminator's minibatch deviation: take fewer workers or a larger batch"
        )
    most = share if most_pairs is None else most_pairs
    if most < group:
        raise UserError(
            f"compute.micro_batch={most} is less than {group}, the group of the discriminator's minibatch deviation"
        )
    pairs = group * largest_divisor(share // group, most // group)
    return Share(batch, world_size, share // pairs)


def usable_workers(batch: int, most: int) -> int:
    """The largest number of workers, at most `most`, among whom a batch can be divided; 1 always can."""
    groups = batch // largest_divisor(batch, GROUP)
    return largest_divisor(groups, most)
