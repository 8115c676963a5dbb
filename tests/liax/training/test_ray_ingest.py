"""Ray Data's actors give the steps that a worker's own processes give, whatever dies."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import psutil
import pytest
import ray

from liax import ray_session
from liax.data.batch import StepData
from liax.data.dataset import PairDataset, ReadPair
from liax.data.loader import Places, load_steps
from liax.errors import NoFileError, ProcessDied, UserError
from liax.training.ray_ingest import MOST_STEPS, Rows, _Gate, free_cores, load_steps_on_ray, require_cores
from tests.job_runs import command
from tests.liax.data.test_loader import BATCH, damage, pairs_of
from tests.moving_shapes import write_shapes

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def on_ray() -> Iterator[None]:
    with ray_session.session(num_cpus=2):
        yield


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shapes(tmp_path_factory.mktemp("shapes"), clips=8)


def assert_same(here: list[StepData], there: list[StepData]) -> None:
    assert len(here) == len(there) > 0
    for one, other in zip(here, there, strict=True):
        assert one.unreadable == other.unreadable
        assert len(one.micro_batches) == len(other.micro_batches)
        for mine, yours in zip(one.micro_batches, other.micro_batches, strict=True):
            assert mine.source_BHWC.equal(yours.source_BHWC)
            assert mine.driving_BHWC.equal(yours.driving_BHWC)


@pytest.mark.parametrize(
    ("places", "steps"), [(Places(BATCH), range(20)), (Places(BATCH, 1, 2, 2), range(5, 8))], ids=["alone", "shared"]
)
def test_ray_gives_the_same_steps(on_ray: None, shapes: str, places: Places, steps: range) -> None:
    here = load_steps(pairs_of(shapes), places, steps)
    there = load_steps_on_ray(pairs_of(shapes), places, steps, cores=2)
    assert_same(list(here), list(there))
    assert_no_actors()


def test_a_killed_actor_costs_nothing(on_ray: None, shapes: str) -> None:
    steps, places = range(60), Places(BATCH)
    there = load_steps_on_ray(pairs_of(shapes), places, steps, cores=2)
    found = [next(there)]
    os.kill(actors()[0].pid, signal.SIGKILL)
    found += there
    assert_same(list(load_steps(pairs_of(shapes), places, steps)), found)


class Noting(PairDataset):
    """Leaves a file for every position that is read."""

    def __init__(self, pairs: PairDataset, folder: Path) -> None:
        self._pairs, self._folder = pairs, folder

    @property
    def pair_bytes(self) -> int:
        return self._pairs.pair_bytes

    def __getitem__(self, position: int) -> ReadPair:
        (self._folder / f"{position}").touch()
        return self._pairs[position]


class NotingGate(_Gate):
    """Leaves a file for every row that had to wait."""

    folder: Path

    async def wait_for(self, row: int) -> int:
        (self.folder / f"waits{row}").touch()
        return await super().wait_for(row)


def test_little_is_read_ahead_and_nothing_stays_behind(
    on_ray: None, shapes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, shares = 125_000, 2
    steps, read, gate = range(first, first + 100_000), tmp_path / "read", tmp_path / "gate"
    read.mkdir()
    gate.mkdir()
    monkeypatch.setattr("liax.training.ray_ingest._Gate", type("NotingGate", (NotingGate,), {"folder": gate}))
    there = load_steps_on_ray(Noting(pairs_of(shapes), read), Places(BATCH), steps, cores=shares, prefetch_steps=9)
    next(there)
    for chunks in (3, 4):
        # The steps of this one's rows, two more rows of every share for the nine steps to come; and then one more.
        expected = {*range(first * BATCH, (first + chunks * MOST_STEPS) * BATCH)}
        wait_until(lambda wanted=expected: read_positions(read) >= wanted)
        wait_until((gate / f"waits{chunks * shares}").exists)
        assert read_positions(read) == expected
        deque(islice(there, MOST_STEPS), maxlen=0)
    assert actors()
    there.close()
    assert_no_actors()


def read_positions(folder: Path) -> set[int]:
    return {int(file.name) for file in folder.iterdir()}


def test_bad_clips_are_counted(on_ray: None, tmp_path: Path) -> None:
    shards = write_shapes(tmp_path, clips=8, validation=0)
    damage(tmp_path, "clip3", shards)
    there = load_steps_on_ray(pairs_of(shards, pairs_per_clip=1), Places(BATCH), range(4), cores=2)
    assert [data.unreadable for data in there] == [1, 1, 1, 1]


def test_an_error_is_the_same_as_without_ray(on_ray: None, tmp_path: Path) -> None:
    pairs = pairs_of(write_shapes(tmp_path, clips=2, validation=0))
    next(tmp_path.glob("[0-9a-f]*.tar")).unlink()
    with pytest.raises(NoFileError, match=rf"{tmp_path}.* \(on node .*, which decodes\)"):
        next(load_steps_on_ray(pairs, Places(BATCH), range(3), cores=1))


def test_cores_are_shared_by_the_workers(on_ray: None) -> None:
    require_cores(workers=1, cpus_per_worker=1)
    with pytest.raises(UserError, match=r"needs 2 cores .* has 2 in all, of which training takes 2"):
        require_cores(workers=2, cpus_per_worker=1)
    assert free_cores(world_size=1, cpus_per_worker=0) == 2
    assert free_cores(world_size=2, cpus_per_worker=1) == 1  # and waits for it


def test_no_steps_are_none() -> None:
    assert not list(load_steps_on_ray(PairDataset.__new__(PairDataset), Places(BATCH), range(5, 5), cores=1))


def test_a_busy_cluster_is_told(
    on_ray: None, shapes: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("liax.training.ray_ingest._SAY_AFTER_S", 1.0)
    monkeypatch.setattr("liax.training.ray_ingest.GIVE_UP_AFTER_S", 2.0)
    taken = ray.util.placement_group([{"CPU": 2}])
    ray.get(taken.ready())
    try:
        with pytest.raises(ProcessDied, match=r"no clip was decoded within 2 s.*data\.ingest=local"):
            next(load_steps_on_ray(pairs_of(shapes), Places(BATCH), range(3), cores=1))
    finally:
        ray.util.remove_placement_group(taken)
    assert "training waits for clips to be decoded" in capsys.readouterr().out
    assert_no_actors()


def test_a_long_run_is_several_pipelines(on_ray: None, shapes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liax.training.ray_ingest.ROWS_A_PIPELINE", 2)
    steps, places = range(3, 3 + 2 * MOST_STEPS + 1), Places(BATCH)
    there = list(load_steps_on_ray(pairs_of(shapes), places, steps, cores=2))
    assert_same(list(load_steps(pairs_of(shapes), places, steps)), there)
    assert_no_actors()


def test_rows_hold_every_position_of_the_steps_once() -> None:
    rows = Rows(Places(12, 1, 2), range(5, 18), shares=4, steps_each=3)
    found: list[list[int]] = [[] for _ in range(13)]
    for row in range(len(rows.chunks()) * 4):
        for index, positions in enumerate(rows.positions(row)):
            found[row // 4 * 3 + index] += positions
    assert [sorted(step) for step in found] == [sorted(rows.places.positions(step)) for step in range(5, 18)]


def assert_no_actors() -> None:
    """Ray ends them a moment after it is told."""
    wait_until(lambda: not actors())


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


def actors() -> list[psutil.Process]:
    """This test's processes that decode."""
    return [process for process in psutil.Process().children(recursive=True) if "MapWorker" in command(process.pid)]
