"""Batches for one worker, from any step on."""

import multiprocessing
from collections.abc import Iterator

from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from liax.data.dataset import PairBatch, PairDataset
from liax.data.order import local_positions
from liax.errors import LiaxError


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

    Raises:
        LiaxError: what reading a pair raised, in whichever process.
    """
    # Not forked: the parent runs threads (torch, Ray), whose locks a fork may copy while they are held.
    context = multiprocessing.get_context("spawn") if loader_workers else None
    loader = DataLoader(
        _Handing(dataset),
        batch_sampler=sampler,
        num_workers=loader_workers,
        multiprocessing_context=context,
        collate_fn=_collate,
    )
    return map(_unpack, iter(loader))


class _Handing(Dataset[PairBatch | LiaxError]):
    """Hands an error over as a value: torch makes a RuntimeError with a traceback of one that a process raises."""

    def __init__(self, dataset: PairDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, position: int) -> PairBatch | LiaxError:
        try:
            return self._dataset[position]
        except LiaxError as error:
            return error


def _collate(pairs: list[PairBatch | LiaxError]) -> PairBatch | LiaxError:
    failed = next((pair for pair in pairs if isinstance(pair, LiaxError)), None)
    batch: PairBatch | LiaxError = failed or default_collate(pairs)
    return batch


def _unpack(batch: PairBatch | LiaxError) -> PairBatch:
    if isinstance(batch, LiaxError):
        raise batch
    return batch
