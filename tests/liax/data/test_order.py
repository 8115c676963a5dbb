"""Properties of the order of training data."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from liax.data.order import Clips, OrderSettings, Pair, PairOrder, draw_frames, local_positions, number
from liax.model.discriminator import GROUP, with_deviation


@st.composite
def clip_sets(draw: st.DrawFn) -> Clips:
    """A few clips, of people and in shards as it comes."""
    count = draw(st.integers(1, 40))
    of = [draw(st.lists(st.integers(0, most), min_size=count, max_size=count)) for most in (59, 12, 6)]
    shards = number([str(shard) for shard in of[2]])
    return Clips(np.array(of[0]) + 1, np.array(of[1]), shards)


settings_of = st.builds(
    OrderSettings,
    batch=st.sampled_from([1, 4, 8]),
    seed=st.integers(0, 2**32),
    pairs_per_clip=st.integers(1, 4),
    least_gap_frames=st.integers(0, 10),
    shuffle_shards=st.integers(1, 4),
)


def simple(people: int = 40, clips_each: int = 1, shards: int = 1) -> Clips:
    """Equal clips; the clips of a person lie in shards that follow each other."""
    count = people * clips_each
    return Clips(np.full(count, 50), np.arange(count) // clips_each, np.arange(count) * shards // count)


@given(clip_sets(), settings_of, st.integers(0, 20))
def test_every_clip_gives_its_pairs_once_an_epoch(clips: Clips, settings: OrderSettings, epoch: int) -> None:
    order = PairOrder(clips, settings)
    seen = Counter(order.at(epoch * len(order) + index).sample for index in range(len(order)))
    assert seen == dict.fromkeys(range(len(clips.frames)), settings.pairs_per_clip)


@given(clip_sets(), settings_of, st.integers(0, 10_000), st.integers(0, 5))
def test_frames_are_in_the_clip_and_apart(clips: Clips, settings: OrderSettings, position: int, attempt: int) -> None:
    order = PairOrder(clips, settings)
    pair = order.stand_in(position, attempt) if attempt else order.at(position)
    length = int(clips.frames[pair.sample])
    assert 0 <= pair.source_frame < length
    assert 0 <= pair.driving_frame < length
    assert abs(pair.source_frame - pair.driving_frame) >= min(settings.least_gap_frames, length - 1)


@given(clip_sets(), settings_of, st.lists(st.integers(0, 500), max_size=30))
def test_a_position_has_one_pair_whatever_was_asked_before(
    clips: Clips, settings: OrderSettings, positions: list[int]
) -> None:
    order = PairOrder(clips, settings)
    assert [order.at(position) for position in positions] == [
        PairOrder(clips, settings).at(position) for position in positions
    ]


@given(st.integers(0, 50), st.sampled_from([1, 2, 4]), st.sampled_from([1, 2, 4]))
def test_workers_and_micro_batches_together_read_what_one_reads(step: int, workers: int, accumulation: int) -> None:
    parts = [
        list(local_positions(step, 16, rank, workers, micro, accumulation))
        for rank in range(workers)
        for micro in range(accumulation)
    ]
    assert {len(part) for part in parts} == {16 // (workers * accumulation)}
    assert sorted(position for part in parts for position in part) == list(range(16 * step, 16 * step + 16))


@pytest.mark.parametrize(("workers", "accumulation"), [(1, 1), (2, 1), (4, 1), (1, 2), (1, 4), (2, 2)])
def test_groups_of_the_minibatch_deviation_hold_the_same_pairs(workers: int, accumulation: int) -> None:
    values = torch.randn(16, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    whole = with_deviation(values)[:, -1, 0, 0]
    for rank in range(workers):
        for micro in range(accumulation):
            mine = list(local_positions(0, 16, rank, workers, micro, accumulation))
            assert len(mine) % GROUP == 0
            assert torch.allclose(with_deviation(values[mine])[:, -1, 0, 0], whole[mine])


@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 5), st.integers(0, 2**20), st.integers(0, 3))
def test_no_person_twice_in_a_batch_where_there_are_enough(
    clips_each: int, pairs_per_clip: int, shuffle_shards: int, seed: int, epoch: int
) -> None:
    # Each window has four batches' worth of people at least, and more batches than a person has pairs.
    clips = simple(people=200, clips_each=clips_each, shards=5)
    settings = OrderSettings(
        batch=8, seed=seed, pairs_per_clip=pairs_per_clip, shuffle_shards=shuffle_shards, least_gap_frames=0
    )
    order = PairOrder(clips, settings)
    first = -(-epoch * len(order) // 8)
    for step in range(first, first + len(order) // 8):
        people = [int(clips.people[order.sample_at(position)]) for position in range(step * 8, step * 8 + 8)]
        assert len(set(people)) == 8, step


def test_a_person_with_too_many_pairs_is_spread_evenly() -> None:
    people = np.array([0] * 20 + list(range(1, 21)))
    order = PairOrder(Clips(np.full(40, 9), people, np.zeros(40, np.int64)), OrderSettings(batch=8))
    counts = [sum(people[order.sample_at(step * 8 + i)] == 0 for i in range(8)) for step in range(5)]
    assert counts == [4] * 5


def test_a_clips_pairs_come_soon_after_each_other_at_the_same_place() -> None:
    order = PairOrder(simple(people=64), OrderSettings(batch=8, pairs_per_clip=4))
    positions: dict[int, list[int]] = {}
    for position in range(len(order)):
        positions.setdefault(order.sample_at(position), []).append(position)
    near = [all(b - a == 8 for a, b in pairwise(found)) for found in positions.values()]
    assert sum(near) >= 0.8 * len(near)  # the others begin again at the next place


@given(st.integers(1, 5), st.integers(0, 100))
def test_few_shards_are_read_at_a_time(shuffle_shards: int, epoch: int) -> None:
    clips = simple(people=200, shards=20)
    order = PairOrder(clips, OrderSettings(batch=8, shuffle_shards=shuffle_shards))
    window = 10 * shuffle_shards  # pairs, as every shard has ten clips
    for start in range(0, 200, window):
        read = {int(clips.shards[order.sample_at(epoch * 200 + i)]) for i in range(start, min(start + window, 200))}
        assert len(read) <= shuffle_shards


def test_epochs_and_seeds_differ() -> None:
    order = PairOrder(simple(), OrderSettings(batch=8, seed=1))
    first, second = ([order.sample_at(e * 40 + i) for i in range(40)] for e in range(2))
    assert first != second
    other = PairOrder(simple(), OrderSettings(batch=8, seed=2))
    assert first != [other.sample_at(i) for i in range(40)]
    assert [order.at(i) for i in range(40)] != [other.at(i) for i in range(40)]


def test_mirroring_takes_its_share() -> None:
    def mirrored(share: float) -> float:
        order = PairOrder(simple(), OrderSettings(batch=8, flip_share=share))
        return sum(order.at(position).mirrored for position in range(2000)) / 2000

    assert mirrored(0) == 0
    assert mirrored(1) == 1
    assert 0.2 < mirrored(0.25) < 0.3


def test_stand_ins_are_other_clips_and_the_same_every_time() -> None:
    order = PairOrder(simple(), OrderSettings(batch=8))
    for position in range(40):
        pairs = [order.stand_in(position, attempt) for attempt in range(1, 10)]
        samples = [pair.sample for pair in pairs]
        assert len({*samples, order.sample_at(position)}) == 10
        assert pairs == [order.stand_in(position, attempt) for attempt in range(1, 10)]


def test_a_million_clips_are_ordered_at_once() -> None:
    count = 1_000_000
    clips = Clips(np.full(count, 100), np.arange(count) // 5, np.arange(count) // 1000)
    order = PairOrder(clips, OrderSettings(batch=512, pairs_per_clip=4))
    assert isinstance(order.at(40_000_000_123), Pair)
    assert sum(len(window) for window in order._windows.values()) <= 3 * 8 * 1000 * 4


def test_frame_pairs_are_drawn_evenly() -> None:
    random = np.random.default_rng(0)
    counts = Counter(draw_frames(random, 5, 2) for _ in range(12_000))
    assert set(counts) == {(a, b) for a in range(5) for b in range(5) if abs(a - b) >= 2}
    assert min(counts.values()) > 850  # 12 pairs, 1,000 expected of each
    assert max(counts.values()) < 1150
