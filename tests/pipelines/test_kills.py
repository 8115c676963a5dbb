"""SIGKILL of workers, of their child processes, of a node and of the driver, again and again: the same bytes.

A cluster of two nodes runs on loopback. The victims and the moments are drawn from a fixed seed; what a moment finds
running differs from run to run, which is the point.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.job_runs import (
    MARK,
    SOAK,
    Job,
    Processes,
    command,
    differences,
    kill,
    left_of,
    shard_bytes,
    write_talks,
)  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.timeout(1800)]  # each kill costs a start

DRIVERS = 3 * SOAK
"""How many drivers are killed, each some time after its start."""

LEAST_KILLS = 10 * SOAK

KINDS = 4
"""Driver, worker, a worker's child, node: each is killed at least once."""

STAGE = "ray::Map"
"""How Ray names the processes that do a stage's work; others of the name `ray::` are its own services."""


class Nodes:
    """A Ray cluster: a head that stays, and a node that is lost and replaced."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._node_settings: dict[str, Any] = {"num_cpus": 2, "object_store_memory": 100 * 1024 * 1024}
        head = self._node_settings | {"include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._second = self._cluster.add_node(**self._node_settings)
        self.environment = {"RAY_ADDRESS": str(self._cluster.address)}

    def workers(self) -> list[int]:
        """Processes that do a stage's work at this moment."""
        seen = Processes()
        return [pid for raylet in self.raylets() for pid in seen.below(raylet) if command(pid).startswith(STAGE)]

    def children(self) -> list[int]:
        """Processes that those have started."""
        seen = Processes()
        return [pid for worker in self.workers() for pid in seen.below(worker) if not command(pid).startswith("ray::")]

    def raylets(self) -> list[int]:
        """The two nodes' main processes."""
        return [
            int(info.process.pid)
            for node in (self._cluster.head_node, self._second)
            for info in node.all_processes["raylet"]
        ]

    def replace(self) -> bool:
        """Kill the second node's raylet, and let another node join: a spot machine that was taken away."""
        struck = kill(self.raylets()[1])
        self._cluster.remove_node(self._second, allow_graceful=False)
        self._second = self._cluster.add_node(**self._node_settings)
        return struck

    def close(self) -> None:
        """End all of it."""
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    write_talks(folder, 4)
    return folder


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with pytest.MonkeyPatch.context() as patch:
        # Ray's processes inherit it; by it, what a worker started is told from everything else on this machine.
        patch.setenv(MARK, "cluster")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("RAY_raylet_start_wait_time_s", "120")  # as in liax.ray_session
        cluster = Nodes()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def undisturbed(videos: Path, nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """The shard set of a run that nothing disturbed, and how long it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    job = Job(folder / "log", f"input={videos}", f"output={folder / 'out'}", environment=nodes.environment)
    job.finish()
    return shard_bytes(folder / "out"), job.seconds()


def strike(kind: str, nodes: Nodes, random_: random.Random, job: Job, end_s: float) -> bool:
    """Kill one process of a kind, as soon as there is one: False if there was none before the driver's own end."""
    if kind == "node":
        return nodes.replace()
    while job.running() and job.seconds() < end_s:
        victims = nodes.workers() if kind == "worker" else nodes.children()
        if victims and kill(random_.choice(victims)):
            return True
        time.sleep(0.05)
    return False


def test_the_shard_set_is_that_of_an_undisturbed_run(
    videos: Path, nodes: Nodes, undisturbed: tuple[dict[str, bytes], float], tmp_path: Path
) -> None:
    shards, usual_s = undisturbed
    random_, kills = random.Random(20), Counter[str]()
    number, finished, enough, done = 0, dict[Path, int](), False, False
    while not (enough and done):
        output = tmp_path / f"out{number}"
        job = Job(tmp_path / "log", f"input={videos}", f"output={output}", environment=nodes.environment)
        # The last driver of all is left alone, however often it was done before.
        enough = kills["driver"] >= DRIVERS and kills.total() >= LEAST_KILLS and len(+kills) == KINDS
        end_s = random_.uniform(0.2, 0.8) * usual_s
        kinds = iter(random_.sample(["worker", "child", "node", "worker", "child"], 5))
        while job.running() and not enough and job.seconds() < end_s:
            time.sleep(random_.uniform(0.05, 0.25) * usual_s)
            kind = next(kinds, "worker")
            kills[kind] += strike(kind, nodes, random_, job, end_s)
            print(f"{job.seconds():.1f} of {end_s:.1f} s: {kind} {+kills}", flush=True)
        if job.running() and not enough:
            job.kill()
            kills["driver"] += 1
            left = still_at_work(nodes)
            assert not left, f"the dead driver's work goes on: {left}"
        elif enough:
            job.finish()
        else:
            job.wait()
        # What was recorded as finished before must not have been worked on again.
        now = records(output)
        assert {record: moment for record, moment in now.items() if record in finished} == finished
        finished = now
        done = job.succeeded()
        if done:
            assert differences(shard_bytes(output), shards) == [], f"after {kills}"
            assert list((output / "work/clips").iterdir()) == []
            number, finished = number + 1, {}
    assert len(+kills) == KINDS, kills


def records(output: Path) -> dict[Path, int]:
    """When each completion record and each commit record was written."""
    return {
        path: path.stat().st_mtime_ns for part in ("work/done", "commits") for path in output.glob(f"{part}/*.json")
    }


def still_at_work(nodes: Nodes, limit_s: float = 60) -> list[str]:
    """What, after a while, works or is left of what a worker started."""
    deadline = time.monotonic() + limit_s
    while (left := nodes.workers() + nodes.children() + orphans()) and time.monotonic() < deadline:
        time.sleep(0.3)
    return [command(pid) for pid in left]


def orphans() -> list[int]:
    """Processes that belong to the cluster's work, but to no raylet any more."""
    seen = Processes()
    return [pid for pid in seen.marked(MARK, "cluster") if seen.parents[pid] == 1 and is_work(pid)]


def is_work(pid: int) -> bool:
    """Whether a process is a stage's, not one of Ray's own services."""
    return any(word in command(pid) for word in ("ffmpeg", "multiprocessing", STAGE))


def test_a_killed_driver_with_a_ray_of_its_own_leaves_no_process(videos: Path, tmp_path: Path) -> None:
    job = Job(tmp_path / "log", f"input={videos}", f"output={tmp_path / 'out'}", "workers=2")
    while job.running() and not list((tmp_path / "out").glob("work/done/*")):
        time.sleep(0.1)
    assert job.running(), job.log.read_text()
    job.kill()
    # Ray's own agents look now and then whether their raylet is there.
    assert left_of(job, limit_s=90) == []
