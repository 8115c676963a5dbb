"""One worker's pictures, step after step, from any step on.

Processes decode ahead. Each has some places of the step's and reads those of every step: a clip's pairs come at the
same place of steps that follow each other, so the process that has read the clip has it still.
"""

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from liax.data.batch import PictureBatch, StepData
from liax.data.clip_cache import ClipCache
from liax.data.clip_table import ClipReader, ClipTable, TarReader
from liax.data.dataset import PairDataset, ReadPair, choose_samples, clips_of
from liax.data.order import OrderSettings, PairOrder, local_positions
from liax.errors import LiaxError, ProcessDied
from liax.shards import ShardSet
from liax.training.config import DataConfig


@dataclass(frozen=True, slots=True)
class Places:
    """Which positions of every step one worker reads.

    Args:
        batch: pairs of a step, all workers together.
        rank, world_size: this worker, of how many.
        accumulation: micro-batches of a step.
    """

    batch: int
    rank: int = 0
    world_size: int = 1
    accumulation: int = 1

    def positions(self, step: int) -> list[int]:
        """One micro-batch after the other."""
        parts = (
            local_positions(step, self.batch, self.rank, self.world_size, micro, self.accumulation)
            for micro in range(self.accumulation)
        )
        return list(chain.from_iterable(parts))


def open_pairs(shards: ShardSet, data: DataConfig, *, seed: int, size_px: int, batch: int) -> PairDataset:
    """The training pairs of a shard set, by position.

    Raises:
        UserError: see `liax.data.dataset.choose_samples`.
    """
    samples = choose_samples(shards, "train", size_px)
    settings = OrderSettings(
        batch=batch,
        seed=seed,
        pairs_per_clip=data.pairs_per_clip,
        least_gap_frames=data.least_gap_frames,
        flip_share=data.flip_share,
        shuffle_shards=data.shuffle_shards,
    )
    reader: ClipReader = TarReader()
    if data.cache_bytes:
        reader = ClipCache(reader, data.cache_folder, data.cache_bytes)
    return PairDataset(reader, ClipTable(samples), PairOrder(clips_of(samples), settings), size_px)


def load_steps(
    pairs: PairDataset, places: Places, steps: range, *, processes: int = 0, prefetch_steps: int = 2, pin: bool = False
) -> Iterator[StepData]:
    """A worker's part of each step, in order; nothing before the first step is read.

    Args:
        pairs: read by position.
        places: this worker's.
        steps: from the next one to the last.
        processes: that decode ahead; 0 decodes in this process.
        prefetch_steps: that each of them holds ready.
        pin: put the pictures where a GPU can fetch them.

    Raises:
        LiaxError: what reading a pair raised, in whichever process; ProcessDied if one was killed.
    """
    for read in _read_ahead(pairs, places, steps, processes, prefetch_steps):
        yield step_data(read, places.accumulation, pin=pin)


def step_data(read: Sequence[ReadPair], accumulation: int, *, pin: bool) -> StepData:
    """A step's pairs, in the order of `Places.positions`, as its micro-batches."""
    each = len(read) // accumulation
    parts = [_stack(read[start : start + each]) for start in range(0, len(read), each)]
    return StepData([part.pinned() for part in parts] if pin else parts, sum(1 for pair in read if pair.stand_in))


def one_thread(_: int = 0) -> None:
    """Let this process decode in one thread: the processes are the parallelism."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _read_ahead(
    pairs: PairDataset, places: Places, steps: range, processes: int, prefetch_steps: int
) -> Iterator[list[ReadPair]]:
    """Each step's pairs, in the order of `places.positions`."""
    if processes == 0:
        yield from ([pairs[position] for position in places.positions(step)] for step in steps)
        return
    count = len(places.positions(0))
    shares = [slice(first, count, processes) for first in range(min(processes, count))]
    parts = [iter(_loader(_Steps(pairs, places, steps, share), prefetch_steps)) for share in shares]
    for _ in steps:
        read: list[ReadPair | None] = [None] * count
        for share, part in zip(shares, parts, strict=True):
            read[share] = _next(part)
        yield [pair for pair in read if pair is not None]


class _Steps(Dataset[list[ReadPair] | LiaxError]):
    """What one process reads of each step. Hands errors over as values: torch would make RuntimeErrors of them."""

    def __init__(self, pairs: PairDataset, places: Places, steps: range, share: slice) -> None:
        self._pairs, self._places, self._steps, self._share = pairs, places, steps, share

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, index: int) -> list[ReadPair] | LiaxError:
        positions = self._places.positions(self._steps[index])[self._share]
        try:
            return [self._pairs[position] for position in positions]
        except LiaxError as error:
            return error


def _loader(steps: _Steps, prefetch_steps: int) -> DataLoader[list[ReadPair] | LiaxError]:
    return DataLoader(
        steps,
        batch_size=None,
        num_workers=1,
        prefetch_factor=prefetch_steps,
        # Not forked: the parent runs threads (torch, Ray), whose locks a fork may copy while they are held.
        multiprocessing_context=multiprocessing.get_context("spawn"),
        worker_init_fn=one_thread,
    )


def _next(part: Iterator[list[ReadPair] | LiaxError]) -> list[ReadPair]:
    try:
        read = next(part)
    except RuntimeError as error:  # torch's way to say that the process is gone
        raise ProcessDied(f"a process that decodes training clips died: {str(error).splitlines()[0]}") from None
    if isinstance(read, LiaxError):
        raise read
    return read


def _stack(pairs: Sequence[ReadPair]) -> PictureBatch:
    return PictureBatch(
        torch.from_numpy(np.stack([pair.source_HWC for pair in pairs])),
        torch.from_numpy(np.stack([pair.driving_HWC for pair in pairs])),
    )
