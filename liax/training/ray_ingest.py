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
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import ray
import ray.data
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from liax.data.batch import StepData
from liax.data.dataset import PairDataset, ReadPair
from liax.data.decode_process import one_thread
from liax.data.loader import Places, step_data
from liax.errors import LiaxError, ProcessDied, UserError

MOST_STEPS = 8
"""Steps of a row: twice the default pairs a clip, so that most clips are read once. Our choice."""
ROW_BYTES = 64 * 2**20
"""Most bytes of a row's pictures, where it has more than one step. Our choice: half of what Ray Data calls a block."""
ROWS_A_TASK = 1024
"""Rows that one task numbers. Our choice: a task's start costs milliseconds, and one that dies numbers them again."""
START_WITHIN_S = 300.0
"""How long a first core is waited for. Our choice: the minutes that a cloud takes for another machine."""


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
        LiaxError: what reading a pair raised, as in `load_steps`; ProcessDied if Ray gave up on the actors.
        UserError: no core was free within `START_WITHIN_S`.
    """
    if not steps:
        return
    count = len(places.positions(0))
    shares = min(cores, count)
    step_bytes = -(-count // shares) * pairs.pair_bytes
    rows = Rows(places, steps, shares, max(1, min(MOST_STEPS, ROW_BYTES // step_bytes)))
    ahead = shares * -(-prefetch_steps // rows.steps_each)
    _wait_for_a_core()
    here: Any = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    gate: Any = ray.remote(num_cpus=0, scheduling_strategy=here)(_Gate).remote()
    decoded = _decoded(pairs, rows, gate, min(cores, shares + ahead))
    try:
        for chunk, first in enumerate(rows.chunks()):
            gate.open_to.remote((chunk + 1) * shares + ahead)
            parts = [_next(decoded) for _ in range(shares)]
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
    import logging

    context.execution_options.preserve_order = True
    context.target_max_block_size = 1
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _wait_for_a_core() -> None:
    """Raise UserError if other work on the cluster leaves no core free; Ray would wait for it without a word."""
    found = ray.remote(num_cpus=1)(_nothing).remote()
    try:
        ray.get(found, timeout=START_WITHIN_S)
    except ray.exceptions.GetTimeoutError:
        ray.cancel(found)
        raise UserError(
            f"no core of the Ray cluster became free for decoding within {START_WITHIN_S:.0f} s: stop other jobs, add "
            "machines, or set data.ingest=local"
        ) from None


def _nothing() -> None:
    pass


def _next(decoded: Iterator[dict[str, Any]]) -> _Row:
    try:
        return _Row.unpack(next(decoded))
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:
        raise ProcessDied(f"Ray could not decode training clips: {str(error).splitlines()[0]}") from None
