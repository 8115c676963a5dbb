"""The order of training data: a pure function of the seed and a position, the same for any number of workers.

Training pairs are numbered 0, 1, 2, … without end. An epoch is one pass over the clips, in an order of its own. The
whole state of the data is therefore one integer, the next position.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Pair:
    """Two frames of one clip: the model redraws the source frame so that it looks like the driving frame."""

    sample: int
    source_frame: int
    driving_frame: int


class PairOrder:
    """Which pair stands at which position.

    Args:
        frames: number of frames of each clip.
        seed: of the whole order.
        least_gap_frames: the two frames of a pair are at least so far apart, or as far as a shorter clip allows.
    """

    def __init__(self, frames: Sequence[int], seed: int, least_gap_frames: int = 1) -> None:
        if not frames or min(frames) < 1:
            raise ValueError("an order needs clips, each of at least one frame")
        self._frames, self._seed, self._gap_frames = tuple(frames), seed, least_gap_frames

    def __len__(self) -> int:
        """Pairs in an epoch: one of each clip."""
        return len(self._frames)

    def at(self, position: int) -> Pair:
        """The pair at a position (0, 1, 2, …)."""
        epoch, index = divmod(position, len(self))
        sample = int(_permutation(len(self), self._seed, epoch)[index])
        random = np.random.Generator(np.random.Philox(key=[self._seed, position]))
        return Pair(sample, *draw_frames(random, self._frames[sample], self._gap_frames))


@lru_cache(maxsize=4)
def _permutation(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    # A counter that no position's generator starts from: those begin at counter 0.
    random = np.random.Generator(np.random.Philox(key=[seed, epoch], counter=[0, 0, 0, 1]))
    return random.permutation(count)


def draw_frames(random: np.random.Generator, frames: int, least_gap_frames: int) -> tuple[int, int]:
    """Source and driving frame, evenly among all ordered pairs that are at least the gap apart.

    Args:
        random: consumed by two draws.
        frames: of the clip, at least 1; with one frame both are frame 0.
        least_gap_frames: reduced to what the clip allows.
    """
    gap_frames = min(max(least_gap_frames, 0), frames - 1)
    # Pairs earlier ≤ later - gap, counted row by row as a triangle; the draw's place in it gives both.
    width = frames - gap_frames
    place = int(random.integers(width * (width + 1) // 2))
    row = (math.isqrt(8 * place + 1) - 1) // 2
    earlier, later = place - row * (row + 1) // 2, row + gap_frames
    return (earlier, later) if random.integers(2) else (later, earlier)


def local_positions(step: int, batch: int, rank: int, world_size: int) -> range:
    """Positions that one worker reads for a step: its share of the `batch` positions that all workers read together.

    Every `world_size`-th, not a slice: the groups of the minibatch deviation, which take every so-many-th picture of a
    worker's batch, then hold the same pictures whatever the number of workers.

    Args:
        step: from 0.
        batch: pairs of all workers together; `world_size` divides it.
        rank: this worker, 0 … world_size - 1.
    """
    return range(step * batch + rank, (step + 1) * batch, world_size)
