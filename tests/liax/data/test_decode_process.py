"""A process that decodes ahead gives its places of every step, and how it ended."""

from collections import deque
from pathlib import Path

import numpy as np
import pytest

from liax.data.dataset import PairDataset
from liax.data.decode_process import DecodeProcess, SharedPairs
from liax.data.loader import open_pairs
from liax.errors import ProcessDied
from liax.shards import ShardSet
from liax.training.config import DataConfig
from tests.moving_shapes import write_shapes

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> PairDataset:
    url = write_shapes(tmp_path_factory.mktemp("shapes"), clips=8)
    return open_pairs(ShardSet(url), DataConfig(), seed=0, size_px=64, batch=8)


def empty(count: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((count, 64, 64, 3), np.uint8), np.zeros((count, 64, 64, 3), np.uint8)


def test_a_dataset_is_read_back_from_shared_memory(pairs: PairDataset) -> None:
    again = SharedPairs(pairs).read()
    assert np.array_equal(again[5].driving_HWC, pairs[5].driving_HWC)


@pytest.mark.parametrize("ahead", [1, 3])
def test_places_of_every_step_come_in_order(pairs: PairDataset, ahead: int) -> None:
    process = DecodeProcess(SharedPairs(pairs), range(16, 64, 8), [1, 5], ahead)
    try:
        for start in range(16, 64, 8):
            source, driving = empty(2)
            assert process.take(source, driving) == 0
            for place, offset in enumerate((1, 5)):
                assert np.array_equal(source[place], pairs[start + offset].source_HWC)
                assert np.array_equal(driving[place], pairs[start + offset].driving_HWC)
    finally:
        process.kill()


def test_what_was_ready_when_it_died_is_still_good(pairs: PairDataset) -> None:
    process = DecodeProcess(SharedPairs(pairs), range(0, 8000, 8), [0], 2)
    process.take(*empty(1))
    assert process._pipe.poll(60)  # the second step is ready
    process.kill()
    source, driving = empty(1)
    process.take(source, driving)
    assert np.array_equal(source[0], pairs[8].source_HWC)
    with pytest.raises(ProcessDied, match="a process that decodes training clips was ended by SIGKILL"):
        deque((process.take(source, driving) for _ in range(3)), maxlen=0)


class Wrong(PairDataset):
    """Has a mistake in its code."""

    def __init__(self, pairs: PairDataset) -> None:
        super().__init__(pairs._reader, pairs._clips, pairs._order, pairs.size_px)

    def read(self, position: int, source_HWC: np.ndarray, driving_HWC: np.ndarray) -> bool:
        raise ZeroDivisionError


def test_a_mistake_in_the_process_ends_it_and_is_told(pairs: PairDataset) -> None:
    process = DecodeProcess(SharedPairs(Wrong(pairs)), range(0, 80, 8), [0], 2)
    with pytest.raises(ProcessDied, match="ended with exit code 1"):
        process.take(*empty(1))


def test_memory_is_given_back(pairs: PairDataset) -> None:
    def mapped() -> int:
        return sum("pym-" in line for line in Path("/proc/self/maps").read_text().splitlines())

    before = mapped()
    for _ in range(3):
        process = DecodeProcess(SharedPairs(pairs), range(0, 80, 8), [0, 1], 500)
        process.take(*empty(2))
        assert mapped() > before
        process.kill()
        del process
    assert mapped() == before
