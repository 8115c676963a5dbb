"""Property tests of the order of training data."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from liax.data.order import PairOrder, draw_frames, local_positions

clips = st.lists(st.integers(1, 60), min_size=1, max_size=30)
seeds = st.integers(0, 2**32)


@given(clips, seeds, st.integers(0, 50))
def test_every_clip_once_an_epoch(frames: list[int], seed: int, epoch: int) -> None:
    order = PairOrder(frames, seed)
    count = len(frames)
    seen = [order.at(position).sample for position in range(epoch * count, (epoch + 1) * count)]
    assert sorted(seen) == list(range(count))


@given(clips, seeds, st.integers(0, 40), st.integers(0, 10_000))
def test_frames_are_in_the_clip_and_apart(frames: list[int], seed: int, gap: int, position: int) -> None:
    pair = PairOrder(frames, seed, gap).at(position)
    length = frames[pair.sample]
    assert 0 <= pair.source_frame < length
    assert 0 <= pair.driving_frame < length
    assert abs(pair.source_frame - pair.driving_frame) >= min(gap, length - 1)


@given(clips, seeds, st.sampled_from([1, 2, 4, 8]), st.integers(0, 100))
def test_workers_together_read_what_one_reads(frames: list[int], seed: int, workers: int, step: int) -> None:
    batch = 8
    order = PairOrder(frames, seed)
    one = [order.at(position) for position in local_positions(step, batch, 0, 1)]
    shares = [list(local_positions(step, batch, rank, workers)) for rank in range(workers)]
    assert {len(share) for share in shares} == {batch // workers}
    many = [order.at(position) for together in zip(*shares, strict=True) for position in together]
    assert many == one


def test_reading_backwards_gives_the_same() -> None:
    frames = list(range(2, 40))
    forwards = [PairOrder(frames, 5).at(position) for position in range(200)]
    order = PairOrder(frames, 5)
    assert [order.at(position) for position in reversed(range(200))] == forwards[::-1]


def test_epochs_and_seeds_differ() -> None:
    frames = [50] * 40
    order = PairOrder(frames, 1)
    first, second = ([order.at(e * 40 + i).sample for i in range(40)] for e in range(2))
    assert first != second
    assert first != [PairOrder(frames, 2).at(i).sample for i in range(40)]


def test_frame_pairs_are_drawn_evenly() -> None:
    random = np.random.default_rng(0)
    counts = Counter(draw_frames(random, 5, 2) for _ in range(12_000))
    assert set(counts) == {(a, b) for a in range(5) for b in range(5) if abs(a - b) >= 2}
    assert min(counts.values()) > 850  # 12 pairs, 1,000 expected of each
    assert max(counts.values()) < 1150
