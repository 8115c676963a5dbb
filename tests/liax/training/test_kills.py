"""SIGKILL of workers, nodes and the driver, and notice of a kill: the curve is the undisturbed one.

A cluster of two nodes runs on loopback. The moments are drawn from a fixed seed; what a moment finds running differs
from run to run, which is the point.
"""

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.job_runs import SOAK, kill
from tests.moving_shapes import write_shapes
from tests.training_runs import (
    SLOWLY,
    SOON_RESIZED,
    Nodes,
    TrainJob,
    assert_near,
    assert_same,
    cluster,
    configure,
    started,
    steps_done,
    train_undisturbed,
    wait_for_step,
)

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.timeout(1800)]  # each kill costs a start

STEPS = 40
RARELY = {"every_steps": 1000}
"""No checkpoint but the last and those that were saved because workers had to leave."""
RAY_HAS_LOOKED_S = 22
"""Ray Data's coordinator of resources, which elastic training asks, looks at the nodes every 20 seconds; a bit more."""


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shapes(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with cluster(2) as nodes:
        yield nodes


def test_the_curve_is_that_of_an_undisturbed_run(nodes: Nodes, shapes: str, tmp_path: Path) -> None:
    quiet = configure(shapes, tmp_path / "quiet", workers=2, steps=STEPS)
    with started(quiet, nodes.environment) as job:
        job.finish()
    for seed in range(SOAK):
        output, random_ = tmp_path / f"killed{seed}", random.Random(seed)
        config = configure(shapes, output, workers=2, steps=STEPS)
        # In the first half, so that there is something left to do when the last one comes.
        moments = sorted(random_.sample(range(2, STEPS // 2), 3))
        old: set[int] = set()
        job = TrainJob(config, nodes.environment)
        try:
            for kind, step in zip(random_.sample(["worker", "node", "driver"], 3), moments, strict=True):
                wait_for_step(job, output, step)
                workers = new_workers(job, nodes, old)
                old |= workers.keys()
                time.sleep(random_.uniform(0, 0.3))
                print(f"{kind} killed at step {steps_done(output)}", flush=True)
                victim = random_.choice(sorted(workers))
                if kind == "driver":
                    job.kill()
                    job = TrainJob(config, nodes.environment)
                elif kind == "worker":
                    assert kill(victim)
                else:
                    nodes.lose(workers[victim])
                    nodes.grow()
            job.finish()
        finally:
            job.kill()
        assert_same(output, tmp_path / "quiet")


def new_workers(job: TrainJob, nodes: Nodes, old: set[int]) -> dict[int, Any]:
    """Both workers and their nodes, as soon as there are two that were not there before."""
    while True:
        workers = {pid: node for pid, node in nodes.workers().items() if pid not in old}
        if len(workers) == 2:
            return workers
        assert job.running(), job.said()
        time.sleep(0.1)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Within it a process does nothing, so that training does not end before something else has happened."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_notice_of_a_kill_saves_the_present_step(nodes: Nodes, shapes: str, tmp_path: Path) -> None:
    quiet = configure(shapes, tmp_path / "quiet", steps=STEPS)
    train_undisturbed(quiet)
    config = configure(shapes, tmp_path / "out", steps=STEPS, checkpoint=RARELY)
    with started(config, nodes.environment) as job:
        wait_for_step(job, tmp_path / "out", 5)
        ((worker, node),) = nodes.workers().items()
        with stopped(worker):  # to tell Ray takes seconds
            nodes.drain(node, seconds=120)
        job.finish()
        said = re.findall(r"saved at step (\d+), going on with the others", job.said())
    saved = sorted(path.name for path in (tmp_path / "out" / "checkpoints").iterdir() if path.is_dir())
    assert saved == [f"{int(said[0]):08d}", f"{STEPS:08d}"]
    assert_same(tmp_path / "out", tmp_path / "quiet")
    nodes.nodes.remove(node)  # Ray has ended it, when it had nothing more to do
    nodes.grow()


def test_workers_become_fewer_and_more(nodes: Nodes, shapes: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    same: dict[str, Any] = {"steps": 2 * STEPS, "optimizer": SLOWLY}
    config = configure(shapes, output, workers=2, least_workers=1, checkpoint=RARELY, **same)
    train_undisturbed(configure(shapes, tmp_path / "quiet", **same))
    with started(config, nodes.environment, SOON_RESIZED) as job:
        wait_for_step(job, output, 7)
        assert len(nodes.workers()) == 2
        nodes.lose(nodes.nodes[-1])
        wait_for_step(job, output, 20)
        (worker,) = nodes.workers()
        with stopped(worker):
            nodes.grow()
            time.sleep(RAY_HAS_LOOKED_S)
        while len(nodes.workers()) < 2:
            assert job.running(), job.said()
            time.sleep(0.2)
        job.finish()
    assert_near(output, tmp_path / "quiet")
    # What the workers had done was saved before there were more of them.
    assert len([path for path in (output / "checkpoints").iterdir() if path.is_dir()]) > 1


def test_other_nodes_decode_and_die_too(shapes: str, tmp_path: Path) -> None:
    """Two of four nodes train and the others decode for them. One of each kind dies."""
    output = tmp_path / "out"
    with cluster(4) as four:
        with started(configure(shapes, tmp_path / "quiet", workers=2, steps=STEPS), four.environment) as job:
            job.finish()
        config = configure(shapes, output, workers=2, steps=STEPS, data={"ingest": "ray"})
        with started(config, four.environment) as job:
            wait_for_step(job, output, 4)
            workers = new_workers(job, four, set())
            four.lose(next(node for node in four.nodes if node not in workers.values()))
            four.grow()
            wait_for_step(job, output, 20)
            four.lose(workers[min(workers)])
            # Others train at once, and find too few cores left that could decode for them.
            new_workers(job, four, set(workers))
            four.grow()
            job.finish()
    assert_same(output, tmp_path / "quiet")
