"""One worker's pictures, step after step, from any step on.

Processes decode ahead. Each has some places of the step's and reads those of every step: a clip's pairs come at the
same place of steps that follow each other, so the process that has read the clip has it still. A thread puts their
pictures together while training goes on.

Shapes: N pairs of a worker's step, H W pixels, C = 3 RGB.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import torch

from liax.data.ahead import ahead
from liax.data.batch import PictureBatch, StepData
from liax.data.clip_cache import ClipCache
from liax.data.clip_table import ClipReader, ClipTable, TarReader
from liax.data.dataset import PairDataset, ReadPair, choose_samples, clips_of
from liax.data.decode_process import DecodeProcess, SharedPairs
from liax.data.order import OrderSettings, PairOrder, local_positions
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
    if processes:
        yield from _load_ahead(pairs, places, steps, processes, prefetch_steps, pin=pin)
        return
    for step in steps:
        positions = places.positions(step)
        pictures = _Pictures(len(positions), pairs.size_px, pin=pin)
        for place, position in enumerate(positions):
            pictures.stand_ins += pairs.read(position, pictures.source_NHWC[place], pictures.driving_NHWC[place])
        yield pictures.step_data(places.accumulation)


def _load_ahead(
    pairs: PairDataset, places: Places, steps: range, processes: int, prefetch_steps: int, *, pin: bool
) -> Iterator[StepData]:
    shared, offsets = SharedPairs(pairs), places.positions(0)
    starts = range(steps.start * places.batch, steps.stop * places.batch, places.batch)
    shares = [slice(first, None, processes) for first in range(min(processes, len(offsets)))]
    decoding = [DecodeProcess(shared, starts, offsets[share], prefetch_steps) for share in shares]

    def assembled() -> Iterator[StepData]:
        for _ in steps:
            pictures = _Pictures(len(offsets), pairs.size_px, pin=pin)
            for share, process in zip(shares, decoding, strict=True):
                pictures.stand_ins += process.take(pictures.source_NHWC[share], pictures.driving_NHWC[share])
            yield pictures.step_data(places.accumulation)

    def stop() -> None:
        for process in decoding:
            process.kill()

    yield from ahead(assembled(), 1, stop)


def step_data(read: Sequence[ReadPair], accumulation: int, *, pin: bool) -> StepData:
    """A step's pairs, in the order of `Places.positions`, as its micro-batches."""
    pictures = _Pictures(len(read), read[0].source_HWC.shape[0], pin=pin)
    for place, pair in enumerate(read):
        pictures.source_NHWC[place], pictures.driving_NHWC[place] = pair.source_HWC, pair.driving_HWC
        pictures.stand_ins += pair.stand_in
    return pictures.step_data(accumulation)


class _Pictures:
    """Memory for a step's pictures, N pairs in the order of `Places.positions`."""

    def __init__(self, count: int, size_px: int, *, pin: bool) -> None:
        shape = (count, size_px, size_px, 3)
        self._source_NHWC = torch.empty(shape, dtype=torch.uint8, pin_memory=pin)
        self._driving_NHWC = torch.empty(shape, dtype=torch.uint8, pin_memory=pin)
        self.source_NHWC, self.driving_NHWC = self._source_NHWC.numpy(), self._driving_NHWC.numpy()
        self.stand_ins = 0

    def step_data(self, accumulation: int) -> StepData:
        parts = zip(self._source_NHWC.chunk(accumulation), self._driving_NHWC.chunk(accumulation), strict=True)
        return StepData([PictureBatch(source, driving) for source, driving in parts], self.stand_ins)
