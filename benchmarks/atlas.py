"""How fast an atlas traces, what its observers cost, and the job on Ray against a plain loop over the same work.

    .venv/bin/python -m benchmarks.atlas --model runs/small --shards runs/faces

People are moved along directions, as `liax atlas` does it: first in a plain loop in this process, with the same number
of threads as a worker has, then by the job's pool of workers. Times of the job count from the first record on, when
its workers are up. Both take turns, so that a noisy machine disturbs both, and the fastest of their rounds count. Exits
with 1 if the job does less than its bound of what so many plain loops would.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.environment import environment
from liax import ray_data, ray_session
from liax.atlas.config import AtlasConfig
from liax.atlas.people import Person, choose_people
from liax.atlas.records import Work, path_to_row, read_traced
from liax.atlas.response import Path
from liax.atlas.run import direction_paths, prepare
from liax.atlas.stage import TraceItem
from liax.atlas.work import observe
from liax.evaluation.attempts import forget_attempts
from liax.evaluation.pool import through_pool

WORKER_NICENESS = 15
LEAST_OF_PLAIN = 0.6
"""The job's throughput as a share of the plain loop's, times its workers. Our choice: workers share memory and caches,
and each first encodes the people that it meets."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Of tracing.

    Args:
        pictures: drawn and observed.
        wall_s: how long that took.
        observe_share: share of the workers' time that the observers took.
    """

    pictures: int
    wall_s: float
    observe_share: float

    @property
    def per_minute(self) -> float:
        """Directions × people × levels."""
        return 60 * self.pictures / self.wall_s


def main() -> int:
    """Measure, print the table, and return 1 if the bound is broken."""
    options = _parse()
    # As Ray sets it for workers of one core: threads, and how they stand back where the machine has other work.
    import torch

    torch.set_num_threads(1)
    os.nice(max(0, WORKER_NICENESS - os.nice(0)))
    load = os.getloadavg()[0] / len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0.0
    for name, value in environment().items():
        print(f"- {name}: {value}")
    print(f"- other work at the start: {load:.1f} runnable processes a core")
    with tempfile.TemporaryDirectory(prefix="liax-") as scratch:
        config = AtlasConfig(
            model=options.model,
            shards=options.shards,
            output=scratch,
            identities=options.people,
            workers=options.workers,
            device=options.device,
            allow_training_people=True,
        )
        work = prepare(config).work
        print(f"- model: {options.model}, {work.subject.size_px} px; workers: {options.workers}")
        print(f"- observers: {', '.join(f'{what}: {name}' for what, name in work.observers)}\n")
        with ray_session.session(options.workers):
            ray_data.quiet()
            seen = observe(work, prepare(config).clips.clips)
            people = [candidate.person for candidate in choose_people(seen.candidates, options.people)]
            paths = _moving(direction_paths(seen.observed, config.levels))[: options.directions]
            plainly = replace(work, url=f"{scratch}/plain")
            rounds = [
                (_plain(plainly, people, paths), _job(work, people, paths, options.workers))
                for _ in range(options.rounds)
            ]
    plain, job = (max(speeds, key=lambda speed: speed.per_minute) for speeds in zip(*rounds, strict=True))
    return _print(plain, job, options.workers)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="as `liax atlas model=`; its pictures should show faces")
    parser.add_argument("--shards", required=True, help="with clips of as many people, in the split val")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--directions", type=int, default=8, help="at most so many")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def _moving(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if np.ptp(path.levels_L) > 0]


def _items(work: Work, people: Sequence[Person], paths: Sequence[Path]) -> list[dict[str, Any]]:
    return [
        {"id": work.traced_id(person, path), "person": person.model_dump_json(), "path": path_to_row(path)}
        for person in people
        for path in paths
    ]


def _plain(work: Work, people: Sequence[Person], paths: Sequence[Path]) -> Speed:
    """One item after the other in this process."""
    stage, items = TraceItem(work), _items(work, people, paths)
    stage(items[0])  # what is set up at the first call does not count
    forget_attempts(work.url)
    started_s = time.perf_counter()
    pictures = sum(stage(item)["pictures"] for item in items)
    wall_s = time.perf_counter() - started_s
    stage.close()
    return Speed(pictures, wall_s, _observe_share(work, items))


def _job(work: Work, people: Sequence[Person], paths: Sequence[Path], workers: int) -> Speed:
    """The job's pool over the same items."""
    items = _items(work, people, paths)
    forget_attempts(work.url)
    started_s, pictures = 0.0, 0
    for place, row in enumerate(through_pool(TraceItem, items, work, "tracing")):
        if place < workers:  # each worker's first: they are up now
            started_s = time.perf_counter()
        else:
            pictures += row["pictures"]
    return Speed(pictures, time.perf_counter() - started_s, _observe_share(work, items))


def _observe_share(work: Work, items: Sequence[dict[str, Any]]) -> float:
    traced, _ = read_traced(work, [item["id"] for item in items])
    observe_s = sum(one.observe_s for one in traced)
    return observe_s / (observe_s + sum(one.render_s for one in traced))


def _print(plain: Speed, job: Speed, workers: int) -> int:
    print("| | directions × people × levels a minute | ms a picture and worker | share of the observers |")
    print("|---|---|---|---|")
    for name, speed, at_once in (("plain loop", plain, 1), (f"job, {workers} workers", job, workers)):
        each_ms = 1000 * at_once * speed.wall_s / speed.pictures
        print(f"| {name} | {speed.per_minute:.0f} | {each_ms:.1f} | {speed.observe_share:.0%} |")
    share = job.per_minute / (plain.per_minute * workers)
    verdict = "held" if share >= LEAST_OF_PLAIN else "BROKEN"
    print(f"\n{verdict}: the job does {share:.2f} of {workers} plain loops, at least {LEAST_OF_PLAIN}")
    return int(share < LEAST_OF_PLAIN)


if __name__ == "__main__":
    sys.exit(main())
