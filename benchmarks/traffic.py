"""How many numbers a training step sends between workers, by engine: counted in real steps of real processes.

    .venv/bin/python -m benchmarks.traffic [--preset tiny] [--workers 2]

Workers of one machine, on the CPU, take steps of the configured engine, and PyTorch's profiler notes every collective
operation with its size. What is counted does not depend on the device: NCCL on GPUs is called at the same places with
the same tensors as Gloo here. `benchmarks.scaling_model.step_collectives` says what to expect; exits with 1 where
another number was counted.
"""

import argparse
import json
import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import torch
from torch import distributed, multiprocessing, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.environment import environment
from benchmarks.scaling_model import Collectives, Sizes, step_collectives
from liax.config import load_config
from liax.data.batch import PairBatch
from liax.model.discriminator import GROUP
from liax.model.network import LiaX
from liax.training.config import TrainConfig
from liax.training.ema import update_average
from liax.training.place import Place
from liax.training.run import make_networks
from liax.training.share import divide
from liax.training.step import Objective, Phases, gan_step

ENGINES: dict[str, int | None] = {"plain": None, "ZeRO 0": 0, "ZeRO 1": 1, "ZeRO 2": 2, "ZeRO 3": 3}
WARM_STEPS = 2
"""Not counted: ZeRO 3 finds out in the first in which order the layers come."""
SCALARS = 16
"""Operations on no more numbers than these are agreements (the gradient's length), and left out."""


@dataclass(frozen=True, slots=True)
class Case:
    """Steps of one engine."""

    engine: str
    micro_batches: int
    r1: bool = False

    @property
    def stage(self) -> int | None:
        """DeepSpeed's, None for the plain engine."""
        return ENGINES[self.engine]


@dataclass(frozen=True, slots=True)
class Counted:
    """What one worker took part in, in numbers (float32), and what the networks are."""

    case: Case
    collectives: Collectives
    sizes: Sizes


CASES = tuple(
    Case(engine, micro_batches, r1) for engine in ENGINES for micro_batches, r1 in ((1, False), (2, False), (1, True))
)


def main() -> int:
    """Count, print the table, and return 1 if something else was expected."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    for name, value in environment().items():
        print(f"- {name}: {value}")
    counted = count(CASES, options.preset, options.workers)
    sizes = counted[0].sizes
    print(
        f"- {options.preset}, {options.workers} workers: generator {sizes.generator:,} parameters, of them in the "
        f"encoder {sizes.encoder:,}, discriminator {sizes.discriminator:,}\n"
    )
    print("Numbers (float32) of a step; and those of the generator, in multiples of its parameters:\n")
    print("| engine | micro-batches | Dr1 | all-reduce | all-gather | reduce-scatter | generator | formula | |")
    print("|---|---|---|---|---|---|---|---|---|")
    for one in counted:
        found, case = one.collectives, one.case
        cells = [case.engine, case.micro_batches, "yes" if case.r1 else ""]
        cells += [f"{number:,}" for number in (found.all_reduce, found.all_gather, found.reduce_scatter)]
        shares = (
            (collectives.total - discriminator_part(one)) / sizes.generator for collectives in (found, expected(one))
        )
        cells += [f"{share:.2f}" for share in shares]
        cells[-1] = f"at most {cells[-1]}" if case.stage == 3 else cells[-1]
        print("|", " | ".join(map(str, [*cells, "held" if agrees(one) else "BROKEN"])), "|")
    return int(not all(map(agrees, counted)))


def agrees(counted: Counted) -> bool:
    """Whether the formula gives what was counted, but for what rounds parts up to equal lengths (a thousandth).

    ZeRO 3 gathers no more than the formula says, and no less than each weight once for each pass.
    """
    most = expected(counted)
    found, case = counted.collectives, counted.case
    if case.stage == 3:
        least = Sizes(counted.sizes.generator, 0, counted.sizes.discriminator)
        lower = step_collectives(least, 3, case.micro_batches, float(case.r1))
        # Small parameters are whole everywhere and gathered once, after the update.
        gathered = 0.97 * lower.all_gather <= found.all_gather <= 1.001 * most.all_gather
    else:
        gathered = _near(found.all_gather, most.all_gather)
    return gathered and _near(found.all_reduce, most.all_reduce) and _near(found.reduce_scatter, most.reduce_scatter)


def expected(counted: Counted) -> Collectives:
    """What the formula says of a case."""
    return step_collectives(counted.sizes, counted.case.stage, counted.case.micro_batches, float(counted.case.r1))


def discriminator_part(counted: Counted) -> float:
    """The discriminator's numbers among those of a case."""
    updates = 1 + counted.case.r1
    return updates * counted.sizes.discriminator * (2 if counted.case.stage else 1)


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= 0.001 * max(one, other)


def count(cases: Sequence[Case], preset: str = "tiny", workers: int = 2) -> list[Counted]:
    """Count the collective operations of one step of each case, in processes of this machine."""
    with tempfile.TemporaryDirectory(prefix="liax-traffic-") as folder:
        file = Path(folder) / "counted.json"
        multiprocessing.spawn(_worker, (workers, _free_port(), list(cases), preset, file), nprocs=workers)
        rows = json.loads(file.read_text())
    return [
        Counted(case, Collectives(**row["collectives"]), Sizes(**row["sizes"]))
        for case, row in zip(cases, rows, strict=True)
    ]


def _worker(rank: int, workers: int, port: int, cases: list[Case], preset: str, file: Path) -> None:
    torch.set_num_threads(1)
    # DeepSpeed wants to be told by the environment what the process group knows.
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(workers)}
    distributed.init_process_group("gloo", timeout=timedelta(seconds=120))
    place = Place(rank, workers, torch.device("cpu"))
    if any(case.stage is not None for case in cases):
        from liax.training.deepspeed_engine import start_deepspeed

        start_deepspeed(place)
    rows = [_count_one(case, preset, place) for case in cases]
    if place.leads:
        file.write_text(json.dumps(rows))
    distributed.destroy_process_group()


def _count_one(case: Case, preset: str, place: Place) -> dict[str, dict[str, int]]:
    """The collectives of a step, and the networks' sizes, on the leading worker."""
    engine = ["engine=plain"] if case.stage is None else ["engine=deepspeed", f"zero_stage={case.stage}"]
    batch = GROUP * place.world_size * case.micro_batches
    settings = [
        "shards=none",
        "output=none",
        f"model.preset={preset}",
        f"batch={batch}",
        f"compute.micro_batch={GROUP}",
    ]
    config = load_config(TrainConfig, None, [*settings, f"workers={place.world_size}", *engine])
    networks = make_networks(config, place, divide(batch, place.world_size, GROUP))
    size_px, objective = config.model.generator().size_px, Objective(config.loss)
    shape = (2, GROUP, 3, size_px, size_px)
    both = [torch.rand(shape) * 2 - 1 for _ in range(case.micro_batches)]
    pictures = [PairBatch(source=source, driving=driving) for source, driving in both]

    def step() -> None:
        gan_step(networks.generator, networks.discriminator, pictures, objective, Phases(True, case.r1))
        update_average(networks.ema, networks.generator, batch, batch)

    for _ in range(WARM_STEPS):
        step()
    if not place.leads:  # all of them do the same, and noting it takes longer than the step
        step()
        return {}
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as noted:
        step()
    module = networks.generator.module
    assert isinstance(module, LiaX)
    sizes = Sizes(parameters(module), parameters(module.encoder), parameters(networks.discriminator.module))
    return {"collectives": asdict(collectives_of(noted)), "sizes": asdict(sizes)}


def collectives_of(noted: profile) -> Collectives:
    """The sizes of all collective operations that a profile has, in numbers.

    Two levels of them are there, PyTorch's own operations (whose lists of tensors have no shapes) and Gloo's. Gloo
    scatters by reducing everything everywhere, which is its own affair.
    """
    reduced = gathered = scattered = 0
    for event in noted.events() or ():
        shapes = event.input_shapes
        if event.name == "gloo:all_reduce":
            reduced += _numbers(shapes[0])
        elif event.name == "c10d::_allgather_base_":  # output, input
            gathered += _numbers(shapes[0])
        elif event.name == "c10d::_reduce_scatter_base_":
            scattered += _numbers(shapes[1])
        elif event.name.startswith("gloo:") and event.name not in ("gloo:all_gather", "gloo:reduce_scatter"):
            raise SystemExit(f"a step uses {event.name}, which is not counted here: count it")
    return Collectives(reduced - scattered, gathered, scattered)


def parameters(module: nn.Module) -> int:
    """How many there are. One of which there is only a part knows its whole size (ZeRO 3)."""
    return sum(int(getattr(weight, "ds_numel", weight.numel())) for weight in module.parameters())


def _numbers(shape: list[int]) -> int:
    size = torch.Size(shape).numel()
    return size if size > SCALARS else 0


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
