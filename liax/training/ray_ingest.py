"""One worker's pictures, decoded by Ray Data on free CPU cores of the cluster. Imported where Ray is.

Each training worker has a pipeline of its own, which gives the same steps as `liax.data.loader.load_steps`:

    rows (numbers) → decode (a pool of actors, one core each) → steps

A row is some places of some steps that follow each other: a clip's pairs come at the same place, so that the actor that
has read the clip makes them all. Rows come back in order. A gate lets Ray begin a row only shortly before it is needed:
Ray's own limits are in bytes of what it has seen so far, and would fill the object store while training does something
else. An actor that dies is made again by Ray, with its rows. All actors belong to the training worker and go with it.
"""

import asyncio
import pickle
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import ray
import ray.data
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from liax import ray_data
from liax.data.batch import StepData
from liax.data.dataset import PairDataset, ReadPair
from liax.data.decode_process import one_thread
from liax.data.loader import Places, step_data
from liax.errors import LiaxError, ProcessDied, UserError
from liax.progress import say

MOST_STEPS = 8
"""Steps of a row: twice the default pairs a clip, so that most clips are read once. Our choice."""
ROW_BYTES = 64 * 2**20
"""Most bytes of a row's pictures, where it has more than one step. Our choice: half of what Ray Data calls a block."""
ROWS_A_TASK = 1024
"""Rows that one task numbers. Our choice: a task's start costs milliseconds, and one that dies numbers them again."""
GIVE_UP_AFTER_S = 300.0
"""How long a row is waited for: Ray Data itself waits for ever where no core is free. Our choice: the minutes that a
cloud takes for another machine."""
_SAY_AFTER_S = 60.0
"""When it is told that a row is waited for. Our choice: far longer than a start takes."""
ROWS_A_PIPELINE = 50_000
"""After so many rows another pipeline begins, in seconds. Our choice: Ray Data keeps some 2 kB of statistics of each
row until its pipeline ends, which would be gigabytes in the training worker for a long run."""


@dataclass(frozen=True, slots=True)
class Rows:
    """How a worker's steps are cut into rows: `shares` of them for every so many steps.

    Args:
        places: of the worker.
        steps: all of them.
        shares: among how many the places of a step are divided.
        steps_each: of a row.
    """

    places: Places
    steps: range
    shares: int
    steps_each: int

    def chunks(self) -> range:
        """The first steps of rows."""
        return self.steps[:: self.steps_each]

    def positions(self, row: int) -> list[list[int]]:
        """What a row reads, step after step."""
        chunk, share = divmod(row, self.shares)
        steps = self.steps[chunk * self.steps_each : (chunk + 1) * self.steps_each]
        return [self.places.positions(step)[share :: self.shares] for step in steps]


def require_cores(workers: int, cpus_per_worker: int) -> None:
    """Raise UserError if the cluster has no core to decode for each training worker. Ray must be running."""
    cores = _all_cores()
    if cores - workers * cpus_per_worker < workers:
        beside = f"{workers} core{'s' if workers > 1 else ''} beside those that train"
        raise UserError(
            f"data.ingest=ray needs {beside}, and the Ray cluster has {cores} in all, of which training takes "
            f"{workers * cpus_per_worker}: add machines, lower cpus_per_worker or workers, or set data.ingest=local"
        )


def free_cores(world_size: int, cpus_per_worker: int) -> int:
    """Cores of the cluster that each training worker can have for decoding.

    One at least, also where there is none: in a run that has begun a node was lost, and another is waited for.
    """
    return max(1, (_all_cores() - world_size * cpus_per_worker) // world_size)


def _all_cores() -> int:
    return int(sum(node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]))


def load_steps_on_ray(
    pairs: PairDataset, places: Places, steps: range, *, cores: int, prefetch_steps: int = 2, pin: bool = False
) -> Iterator[StepData]:
    """The same as `liax.data.loader.load_steps`, decoded by actors on other cores.

    In flight, in the object store, are at most `MOST_STEPS` steps (that training goes through) and the next ones:
    `prefetch_steps`, rounded up to rows. Fewer where a step has many pictures, see `ROW_BYTES`.

    Args:
        pairs: read by position.
        places: this worker's.
        steps: from the next one to the last.
        cores: how many may decode for this worker, see `free_cores`; as many actors, as there is room for them.
        prefetch_steps: least steps that are decoded ahead.
        pin: put the pictures where a GPU can fetch them.

    Raises:
        LiaxError: what reading a pair raised, as in `load_steps`; ProcessDied if Ray gave up on the actors, or no row
            came within `GIVE_UP_AFTER_S`.
    """
    if not steps:
        return
    count = len(places.positions(0))
    shares = min(cores, count)
    step_bytes = -(-count // shares) * pairs.pair_bytes
    steps_each = max(1, min(MOST_STEPS, ROW_BYTES // step_bytes))
    ahead = shares * -(-prefetch_steps // steps_each)
    at_once = max(1, ROWS_A_PIPELINE // shares) * steps_each
    for first in steps[::at_once]:
        rows = Rows(places, range(first, min(first + at_once, steps.stop)), shares, steps_each)
        yield from _load(pairs, rows, ahead, most_actors=min(cores, shares + ahead), pin=pin)


def _load(pairs: PairDataset, rows: Rows, ahead: int, *, most_actors: int, pin: bool) -> Iterator[StepData]:
    """The steps of one pipeline, whose rows begin `ahead` of those that training goes through."""
    places, steps, shares = rows.places, rows.steps, rows.shares
    count = len(places.positions(0))
    here: Any = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    gate: Any = ray.remote(num_cpus=0, scheduling_strategy=here)(_Gate).remote()
    decoded = _Decoded(_decoded(pairs, rows, gate, most_actors))
    try:
        for chunk, first in enumerate(rows.chunks()):
            gate.open_to.remote((chunk + 1) * shares + ahead)
            parts = [decoded.next() for _ in range(shares)]
            for step in range(first, min(first + rows.steps_each, steps.stop)):
                read: list[ReadPair] = [None] * count  # type: ignore[list-item] # every place is filled
                for share, part in enumerate(parts):
                    read[share::shares] = part.step(step - first)
                yield step_data(read, places.accumulation, pin=pin)
    finally:
        decoded.close()
        ray.kill(gate)


@dataclass(frozen=True, slots=True)
class _Row:
    """What an actor made of a row: its steps up to the first that failed."""

    steps: list[list[ReadPair]]
    error: LiaxError | None

    def step(self, index: int) -> list[ReadPair]:
        if index < len(self.steps):
            return self.steps[index]
        assert self.error is not None  # a row without an error has all its steps
        raise self.error

    def pack(self) -> dict[str, Any]:
        """As Ray Data takes it, one row: arrays go through the object store without being pickled."""
        nothing: list[Any] = [0]  # because Arrow has no empty arrays
        pictures = [[(pair.source_HWC, pair.driving_HWC) for pair in step] for step in self.steps] or nothing
        stand_in = [[pair.stand_in for pair in step] for step in self.steps] or nothing
        return {
            "pictures": np.array([pictures], np.uint8),
            "stand_in": np.array([stand_in], bool),
            "steps": [len(self.steps)],
            "error": [pickle.dumps(self.error)],
        }

    @staticmethod
    def unpack(row: dict[str, Any]) -> "_Row":
        pictures, stand_in = row["pictures"][0], row["stand_in"][0]
        steps = [
            [ReadPair(two[0], two[1], bool(flag)) for two, flag in zip(pictures[step], stand_in[step], strict=True)]
            for step in range(int(row["steps"][0]))
        ]
        return _Row(steps, pickle.loads(row["error"][0]))  # noqa: S301 - written by `pack` a moment ago


class _Decode:
    """Reads rows, in an actor of Ray Data's. Hands errors over as values: Ray would make its own of them."""

    def __init__(self, pairs: list[Any], rows: Rows) -> None:
        one_thread()
        self._pairs: PairDataset = ray.get(pairs[0])
        self._rows = rows

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        steps: list[list[ReadPair]] = []
        try:
            for positions in self._rows.positions(int(batch["row"][0])):
                steps.append([self._pairs[position] for position in positions])
        except UserError as error:  # a file is not there: perhaps only here
            where = f"(on node {ray.util.get_node_ip_address()}, which decodes)"
            return _Row(steps, type(error)(f"{error} {where}")).pack()
        except LiaxError as error:
            return _Row(steps, error).pack()
        return _Row(steps, None).pack()


class _Gate:
    """Holds rows back until training is near them."""

    def __init__(self) -> None:
        self._open_to, self._changed = 0, asyncio.Condition()

    async def open_to(self, row: int) -> None:
        async with self._changed:
            self._open_to = max(row, self._open_to)  # calls may overtake each other
            self._changed.notify_all()

    async def wait_for(self, row: int) -> int:
        """Return when a row may begin, with the first that may not."""
        async with self._changed:
            await self._changed.wait_for(lambda: row < self._open_to)
            return self._open_to


def _numbers(batch: dict[str, Any], gate: Any, count: int) -> Iterator[dict[str, Any]]:
    """The rows from a number on, each when the gate is open for it."""
    first, open_to = int(batch["item"][0]), 0
    for row in range(first, min(first + ROWS_A_TASK, count)):
        if row >= open_to:
            open_to = ray.get(gate.wait_for.remote(row))
        yield {"row": [row]}


def _decoded(pairs: PairDataset, rows: Rows, gate: Any, most_actors: int) -> Any:
    """The rows in order, as Ray Data's generator."""
    count = len(rows.chunks()) * rows.shares
    firsts = list(range(0, count, ROWS_A_TASK))
    numbered = ray.data.from_items(firsts, override_num_blocks=len(firsts)).map_batches(
        partial(_numbers, gate=gate, count=count),
        batch_size=None,
        num_cpus=0,  # it waits at the gate
        compute=ray.data.TaskPoolStrategy(min(2, len(firsts))),  # one numbers rows, and the next one is ready
    )
    dataset = numbered.map_batches(
        _Decode,
        fn_constructor_args=([ray.put(pairs)], rows),
        batch_size=None,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most_actors, initial_size=most_actors),
    )
    _set_up(dataset.context)
    return iter(dataset.iter_batches(batch_size=None, prefetch_batches=rows.shares))


def _set_up(context: Any) -> None:
    """In order, every row a block of its own, and without a word."""
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1
    ray_data.quiet(context)


class _Decoded:
    """Ray Data's rows, fetched by a thread: whoever waits for one can give it up."""

    def __init__(self, rows: Any) -> None:
        self._rows, self._thread = rows, ThreadPoolExecutor(1, thread_name_prefix="decoded-rows")
        self._coming: Future[dict[str, Any]] | None = None

    def next(self) -> _Row:
        """The next row, waited for up to `GIVE_UP_AFTER_S`."""
        self._coming = self._thread.submit(next, self._rows)
        wait([self._coming], _SAY_AFTER_S)
        if not self._coming.done():
            say("training waits for clips to be decoded: perhaps no core of the Ray cluster is free for it")
            wait([self._coming], GIVE_UP_AFTER_S - _SAY_AFTER_S)
        if not self._coming.done():
            raise ProcessDied(
                f"no clip was decoded within {GIVE_UP_AFTER_S:.0f} s, because no core of the Ray cluster was free or "
                "all that decode died: stop other jobs, add machines, or set data.ingest=local"
            )
        return _unpacked(self._coming)

    def close(self) -> None:
        """End the pipeline, at once or when the thread that still waits in it comes out."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._coming is None:
            self._rows.close()
        else:
            self._coming.add_done_callback(lambda _: self._rows.close())


def _unpacked(coming: "Future[dict[str, Any]]") -> _Row:
    try:
        return _Row.unpack(coming.result())
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:
        raise ProcessDied(f"Ray could not decode training clips: {str(error).splitlines()[0]}") from None
