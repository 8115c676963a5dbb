"""Batches for one worker, from any step on."""

import multiprocessing
from collections.abc import Iterator

from torch.utils.data import DataLoader, Sampler

from liax.data.dataset import PairBatch, PairDataset
from liax.data.order import local_positions


class StepSampler(Sampler[list[int]]):
    """The positions of one worker's batches, step after step."""

    def __init__(self, steps: range, batch: int, rank: int, world_size: int) -> None:
        self._steps, self._batch, self._rank, self._world_size = steps, batch, rank, world_size

    def __iter__(self) -> Iterator[list[int]]:
        return (list(local_positions(step, self._batch, self._rank, self._world_size)) for step in self._steps)


def batches(dataset: PairDataset, sampler: StepSampler, loader_workers: int) -> Iterator[PairBatch]:
    """This worker's batches in order; nothing before the sampler's first step is read.

    Args:
        dataset: read by position.
        sampler: which positions.
        loader_workers: processes that decode ahead; 0 decodes in this process.
    """
    # Not forked: the parent runs threads (torch, Ray), whose locks a fork may copy while they are held.
    context = multiprocessing.get_context("spawn") if loader_workers else None
    return iter(DataLoader(dataset, batch_sampler=sampler, num_workers=loader_workers, multiprocessing_context=context))
