"""The order of training data: a pure function of the seed and a position, the same for any number of workers.

Training pairs are numbered 0, 1, 2, … without end. The whole state of the data is therefore one integer, the next
position. In an epoch every clip gives the same number of pairs:

- The shards are shuffled, and the clips of some of them that follow each other, a *window*, are mixed. Whoever reads
  the pairs in order therefore reads few shards at a time.
- A window's people are shuffled, and their pairs dealt out like cards: one to each of the window's batches in turn. So
  no person is twice in a batch, unless they have more pairs than the window has batches, and a clip's pairs come in
  batches that follow each other, at the same place in each: the worker that has read the clip has it still.

Nothing but the window at hand is ever worked out, so a run continues anywhere at once.
"""

import math
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

_KEPT_WINDOWS = 3
"""The one at hand, the one before, whose end it depends on, and the next one for the pairs that reach into it."""

_FRAMES, _SHARDS, _WINDOW, _STAND_IN = 0, 1, 2, 3
"""What random numbers are for; each use has its own."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two frames of one clip: the model redraws the source frame so that it looks like the driving frame."""

    sample: int
    source_frame: int
    driving_frame: int
    mirrored: bool = False
    """Whether both frames are to be mirrored."""


@dataclass(frozen=True, slots=True)
class Clips:
    """What decides the order, a number for each clip."""

    frames: NDArray[np.int64]
    people: NDArray[np.int64]
    """Which clips are of the same person."""
    shards: NDArray[np.int64]
    """Which clips lie in the same shard; 0, 1, 2, … without a gap."""


@dataclass(frozen=True, slots=True)
class OrderSettings:
    """How pairs are chosen and mixed; see `liax.training.config.DataConfig` for what they mean."""

    batch: int
    seed: int = 0
    pairs_per_clip: int = 1
    least_gap_frames: int = 1
    flip_share: float = 0.0
    shuffle_shards: int = 8


class PairOrder:
    """Which pair stands at which position."""

    def __init__(self, clips: Clips, settings: OrderSettings) -> None:
        if not len(clips.frames) or clips.frames.min() < 1:
            raise ValueError("an order needs clips, each of at least one frame")
        self._clips, self._settings = clips, settings
        by_shard = np.argsort(clips.shards, kind="stable")
        self._in_shard = np.split(by_shard, np.flatnonzero(np.diff(clips.shards[by_shard])) + 1)
        self._windows: OrderedDict[tuple[int, int], NDArray[np.int64]] = OrderedDict()
        self._epoch: tuple[int, _Epoch] | None = None

    @property
    def batch(self) -> int:
        """Pairs of a step, all workers together."""
        return self._settings.batch

    def __len__(self) -> int:
        """Pairs in an epoch."""
        return len(self._clips.frames) * self._settings.pairs_per_clip

    def at(self, position: int) -> Pair:
        """The pair at a position (0, 1, 2, …)."""
        return self._draw(self.sample_at(position), self._random(_FRAMES, position))

    def sample_at(self, position: int) -> int:
        """The clip of the pair at a position."""
        epoch, index = divmod(position, len(self))
        window, start = self._epoch_of(epoch).window_at(index)
        return int(self._dealt(epoch, window)[index - start])

    def stand_in(self, position: int, attempt: int) -> Pair:
        """Another pair for a position whose clip cannot be read; `attempt` from 1, each another clip.

        A clip of the same window, so that no other shard has to be read. May bring a person twice into a batch.
        """
        epoch, index = divmod(position, len(self))
        samples = self._samples_of(epoch, self._epoch_of(epoch).window_at(index)[0])
        random = self._random(_STAND_IN, position)
        first = int(np.searchsorted(samples, self.sample_at(position)))
        others = max(1, len(samples) - 1)
        steps = 1 + (int(random.integers(others)) + attempt) % others
        return self._draw(int(samples[(first + steps) % len(samples)]), random)

    def _draw(self, sample: int, random: np.random.Generator) -> Pair:
        frames = draw_frames(random, int(self._clips.frames[sample]), self._settings.least_gap_frames)
        return Pair(sample, *frames, mirrored=bool(random.random() < self._settings.flip_share))

    def _random(self, purpose: int, number: int, further: int = 0) -> np.random.Generator:
        key = [self._settings.seed, number]
        return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, further, purpose]))

    def _epoch_of(self, epoch: int) -> "_Epoch":
        if self._epoch is None or self._epoch[0] != epoch:
            shards = self._random(_SHARDS, epoch).permutation(len(self._in_shard))
            clips = np.array([len(self._in_shard[shard]) for shard in shards])
            made = _Epoch(shards, clips * self._settings.pairs_per_clip, self._settings.shuffle_shards)
            self._epoch = (epoch, made)
        return self._epoch[1]

    def _samples_of(self, epoch: int, window: int) -> NDArray[np.int64]:
        """The clips of a window, in the order of their numbers."""
        return np.sort(np.concatenate([self._in_shard[shard] for shard in self._epoch_of(epoch).shards_of(window)]))

    def _dealt(self, epoch: int, window: int) -> NDArray[np.int64]:
        """The clips at a window's positions. Where its first batch began in the window before, no person of there is
        in it again, if that can be."""
        known = self._windows.get((epoch, window))
        if known is not None:
            return known
        start = self._epoch_of(epoch).starts[window] + epoch * len(self)
        dealt = self._deal(epoch, window)
        shared = start % self._settings.batch
        if shared and start >= shared:
            tail = self._tail(epoch, window, int(shared))
            dealt = _without(dealt, self._clips.people, set(tail.tolist()), int(shared), self._settings.batch)
        self._windows[epoch, window] = dealt
        while len(self._windows) > _KEPT_WINDOWS:
            self._windows.popitem(last=False)
        return dealt

    def _tail(self, epoch: int, window: int, count: int) -> NDArray[np.int64]:
        """The people at the last positions before a window."""
        before = (epoch, window - 1) if window else (epoch - 1, len(self._epoch_of(epoch - 1).starts) - 1)
        return self._clips.people[self._deal(*before)[-count:]]

    def _deal(self, epoch: int, window: int) -> NDArray[np.int64]:
        """A window's clips in the order of their pairs, by itself."""
        settings, random = self._settings, self._random(_WINDOW, epoch, window)
        samples = random.permutation(self._samples_of(epoch, window))
        people = self._clips.people[samples]
        # People in a random order, each with all their clips, and each clip as often as it gives pairs.
        names = np.unique(people)
        place = dict(zip(names.tolist(), random.permutation(len(names)).tolist(), strict=True))
        ranked = samples[np.argsort([place[person] for person in people.tolist()], kind="stable")]
        cards = np.repeat(ranked, settings.pairs_per_clip)
        # Positions by their place in a batch, then by batch: cards that follow each other go to different batches.
        start = self._epoch_of(epoch).starts[window] + epoch * len(self)
        positions = np.arange(start, start + len(cards))
        order = np.lexsort((positions // settings.batch, positions % settings.batch))
        dealt = np.empty_like(cards)
        dealt[order] = cards
        return dealt


class _Epoch:
    """An epoch's shards in their order, divided into windows."""

    def __init__(self, shards: NDArray[np.int64], pairs: NDArray[np.int64], in_window: int) -> None:
        self._shards, self._in_window = shards, in_window
        self.starts = np.concatenate(([0], np.cumsum(np.add.reduceat(pairs, np.arange(0, len(pairs), in_window)))[:-1]))

    @cached_property
    def _start_list(self) -> list[int]:
        return [int(start) for start in self.starts]

    def window_at(self, index: int) -> tuple[int, int]:
        """The window of an epoch's pair, and where in the epoch it begins."""
        window = bisect_right(self._start_list, index) - 1
        return window, self._start_list[window]

    def shards_of(self, window: int) -> NDArray[np.int64]:
        return self._shards[window * self._in_window : (window + 1) * self._in_window]


def _without(
    dealt: NDArray[np.int64], people: NDArray[np.int64], taken: set[int], shared: int, batch: int
) -> NDArray[np.int64]:
    """Move people who are in `taken` out of a window's first `batch - shared` positions, if others can go there.

    They change places with pairs at the same place of later batches, the last one left out: what comes after this
    window depends on that.
    """
    dealt, head = dealt.copy(), batch - shared
    here = {int(people[sample]) for sample in dealt[:head]} | taken
    for index in range(min(head, len(dealt))):
        person = int(people[dealt[index]])
        if person not in taken:
            continue
        for other in range(index + batch, len(dealt) - batch, batch):
            stranger = int(people[dealt[other]])
            first = other - (other + shared) % batch
            if stranger not in here and person not in people[dealt[first : first + batch]]:
                dealt[index], dealt[other] = dealt[other], dealt[index]
                here.add(stranger)
                break
    return dealt


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


def local_positions(step: int, batch: int, rank: int, world_size: int, micro: int = 0, accumulation: int = 1) -> range:
    """Positions that one worker reads for one micro-batch of a step.

    Every so-many-th of the step's positions, not a slice: the groups of the minibatch deviation, which take every
    so-many-th picture of a micro-batch, then hold the same pictures whatever the number of workers and micro-batches.

    Args:
        step: from 0.
        batch: pairs of all workers together; `world_size · accumulation` divides it.
        rank: this worker, 0 … world_size - 1.
        world_size: number of workers.
        micro: which micro-batch, 0 … accumulation - 1.
        accumulation: number of micro-batches.
    """
    return range(step * batch + micro * world_size + rank, (step + 1) * batch, world_size * accumulation)


def number(names: Sequence[str]) -> NDArray[np.int64]:
    """A number for each name, the same for equal ones: 0, 1, 2, … without a gap."""
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.array([numbers[name] for name in names], np.int64)
