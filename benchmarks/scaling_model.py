"""What `benchmarks/scaling.py` reckons with: what a step of each network computes, sends and holds.

Everything is counted by the project's own code: parameters, FLOPs, bytes. Nothing here was measured.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from benchmarks.environment import ROOT
from benchmarks.scaling_machines import BATCH, GPUS_A_MACHINE, Fleet, Gpu
from liax.config import load_config
from liax.model.discriminator import GROUP
from liax.model.network import LiaX
from liax.training.config import TrainConfig
from liax.training.dry_step import StepCosts, step_costs
from liax.training.flops import pair_flop
from liax.training.memory import FLOAT_BYTES, WorkerMemory, worker_memory
from liax.training.share import divide

PRESETS, SIZES_PX = ("base", "middle", "large"), (256, 512)
STAGES: tuple[int | None, ...] = (None, 1, 2, 3)
"""DeepSpeed's; None is the plain engine, which sends what stage 0 does."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Parameters."""

    generator: int
    encoder: int
    """Those of the generator's encoder, which runs twice in a pass: on the source and on the driving picture."""
    discriminator: int


@dataclass(frozen=True, slots=True)
class Collectives:
    """What all workers together do in a step, in numbers (float32), each operation by the size of its whole result."""

    all_reduce: float
    all_gather: float
    reduce_scatter: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.all_reduce + self.all_gather + self.reduce_scatter

    def sent_bytes(self, workers: int) -> float:
        """What each worker sends, and receives, where every operation goes round a ring.

        An all-gather or reduce-scatter sends (N − 1)/N of the whole, an all-reduce is one of each (Patarasuk & Yuan
        2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations").
        """
        passes = 2 * self.all_reduce + self.all_gather + self.reduce_scatter
        return FLOAT_BYTES * passes * (workers - 1) / workers


def step_collectives(sizes: Sizes, stage: int | None, micro_batches: int, r1_share: float) -> Collectives:
    """What a step of an engine sends: counted by `benchmarks/traffic.py`, in DeepSpeed 0.19.

    ZeRO 1 and 2 are not what their paper says (§7: a reduce-scatter and an all-gather): DeepSpeed reduces every
    gradient everywhere (`use_multi_rank_bucket_allreduce`), and stage 2 after every micro-batch, because it has no
    place for a whole gradient in between.

    Args:
        sizes: of the networks.
        stage: the generator's; the discriminator's is at most 1 (`docs/decisions/0011-engines.md`).
        micro_batches: of each worker.
        r1_share: how often Dr1, a further update of the discriminator, happens in a step.
    """
    judged = sizes.discriminator * (1 + r1_share)
    if stage in (None, 0):
        return Collectives(sizes.generator + judged, 0, 0)
    if stage in (1, 2):
        reduced = sizes.generator * (micro_batches if stage == 2 else 1)
        return Collectives(reduced + judged, sizes.generator + judged, 0)
    # Forward and backward in each micro-batch, the encoder twice in both; then once for the running average. At most:
    # what is still there is not gathered again (`LIVE_SHARE`).
    gathered = 2 * micro_batches * (sizes.generator + sizes.encoder) + sizes.generator
    return Collectives(judged, gathered + judged, micro_batches * sizes.generator)


@dataclass(frozen=True, slots=True)
class Network:
    """A preset at a size, as its file in `jobs/configs/` trains it."""

    preset: str
    size_px: int

    @property
    def stage(self) -> int | None:
        """The ZeRO stage of its file; None for the plain engine."""
        config = self.config()
        return None if config.engine == "plain" else config.zero_stage or 1

    def config(self, workers: int = 1, batch: int = BATCH, **compute: object) -> TrainConfig:
        """Its file, for so many workers."""
        file = ROOT / "jobs" / "configs" / f"train_{self.preset}_{self.size_px}.yaml"
        changes = [f"compute.{name}={str(value).lower()}" for name, value in compute.items()]
        fleet = [f"workers={workers}", f"batch={batch}"]
        return load_config(TrainConfig, file, ["shards=none", "output=none", *fleet, *changes])

    def costs(self, config: TrainConfig) -> StepCosts:
        """What a micro-batch of one worker takes."""
        return step_costs(config, divide(config.batch, config.workers, config.compute.micro_batch).pairs)

    def sizes(self) -> Sizes:
        """Its parameters."""
        return _sizes(self)

    def pair_flop(self) -> float:
        """What training computes for a pair; the same for any number of workers, but for the sixth digit."""
        return _pair_flop(self)

    def micro_batches(self, workers: int, batch: int) -> int:
        """Of each worker in a step, with its file's limit."""
        config = self.config(workers, batch)
        return divide(batch, workers, config.compute.micro_batch).micro_batches

    def collectives(self, stage: int | None, workers: int, batch: int) -> Collectives:
        """What a step sends, a mean over R1's period."""
        r1_share = 1 / self.config().loss.r1_every
        return step_collectives(self.sizes(), stage, self.micro_batches(workers, batch), r1_share)

    def memory(self, config: TrainConfig, stage: int | None) -> WorkerMemory:
        """What `liax train --plan` says of a worker of this run."""
        share = divide(config.batch, config.workers, config.compute.micro_batch)
        return worker_memory(config, stage, self.costs(config), share)


NETWORKS = tuple(Network(preset, size_px) for preset in PRESETS for size_px in SIZES_PX)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the reader may know better, and which MFUs are measured."""

    mfu: float
    prices_usd: Mapping[str, float]
    kept: float
    """Share of the source's frames that end in a clip."""
    measured_mfu: Mapping[tuple[str, str, int], float]
    """By GPU, preset and size; where there is none, `mfu`."""

    def mfu_of(self, gpu: Gpu, network: Network) -> float:
        """Of one GPU by itself."""
        return self.measured_mfu.get((gpu.name, network.preset, network.size_px), self.mfu)

    def source(self, gpu: Gpu, network: Network) -> str:
        """Whether that is assumed or measured."""
        found = (gpu.name, network.preset, network.size_px) in self.measured_mfu
        return f"{self.mfu_of(gpu, network):.0%}, {'measured' if found else 'assumed'}"


@dataclass(frozen=True, slots=True)
class Step:
    """A step's time on a fleet, if nothing that is sent is hidden behind what is computed."""

    compute_s: float
    wire_s: float

    @property
    def wire_share(self) -> float:
        """Of the step."""
        return self.wire_s / (self.compute_s + self.wire_s)

    @property
    def total_s(self) -> float:
        """Both."""
        return self.compute_s + self.wire_s


def step_of(network: Network, fleet: Fleet, mfu: float, stage: int | None) -> Step:
    """The time of a step, without loading, pictures and checkpoints.

    Args:
        network: what is trained.
        fleet: on what.
        mfu: of one GPU by itself.
        stage: the generator's.
    """
    pairs = fleet.batch / fleet.workers
    compute_s = pairs * network.pair_flop() / (fleet.gpu.peak_flops * mfu)
    sent_bytes = network.collectives(stage, fleet.workers, fleet.batch).sent_bytes(fleet.workers)
    return Step(compute_s, sent_bytes / fleet.wire_bytes_per_s)


def most_workers(batch: int) -> int:
    """How many can share a batch: each needs whole groups of the minibatch deviation (`liax.training.share`)."""
    return batch // GROUP


def least_pairs(network: Network, gpu: Gpu, mfu: float, bytes_per_s: float, most_share: float) -> int:
    """Pairs that each of many workers needs in a step, so that sending takes at most a share of it; whole groups.

    Many: (N − 1)/N is taken to be 1. One micro-batch, with the stage of the network's file.
    """
    collectives = step_collectives(network.sizes(), network.stage, 1, 1 / network.config().loss.r1_every)
    wire_s = collectives.sent_bytes(2) * 2 / bytes_per_s
    pair_s = network.pair_flop() / (gpu.peak_flops * mfu)
    needed = wire_s * (1 - most_share) / most_share / pair_s
    return GROUP * max(1, -int(-needed // GROUP))


@dataclass(frozen=True, slots=True)
class Choice:
    """Settings that fit a card, and what a worker then takes."""

    stage: int | None
    recompute: bool
    pairs: int
    """Of a micro-batch."""
    total_bytes: int


ORDER: tuple[tuple[int | None, bool], ...] = (
    (None, False), (1, False), (2, False), (None, True), (1, True), (2, True), (3, False), (3, True),
)  # fmt: skip
"""Stage and recomputation, what costs least first. Our choice: stage 1 sends half as much again as none, recomputing
takes another forward pass of the generator, and stage 3 sends the weights in every micro-batch."""


def choose(network: Network, card_gib: float, workers: int = GPUS_A_MACHINE, batch: int = BATCH) -> Choice | None:
    """The first of `ORDER` that fits, with the largest micro-batch; None where nothing does."""
    for stage, recompute in ORDER:
        for pairs in _micro_batches(batch // workers):
            config = network.config(workers, batch, micro_batch=pairs, recompute=recompute)
            total_bytes = network.memory(config, stage).total
            if total_bytes <= card_gib * 2**30:
                return Choice(stage, recompute, pairs, total_bytes)
    return None


def _micro_batches(pairs: int) -> Iterator[int]:
    """Sizes of micro-batches, the largest first."""
    while pairs >= GROUP:
        yield pairs
        if pairs % (2 * GROUP):
            return
        pairs //= 2


def checkpoint_bytes(network: Network) -> int:
    """The tensors of a checkpoint: weights and Adam's two of both networks, and the generator's average."""
    sizes = network.sizes()
    return FLOAT_BYTES * (4 * sizes.generator + 3 * sizes.discriminator)


@cache
def _pair_flop(network: Network) -> float:
    return pair_flop(network.config(GPUS_A_MACHINE))


@cache
def _sizes(network: Network) -> Sizes:
    import torch

    costs = network.costs(network.config(GPUS_A_MACHINE))
    with torch.device("meta"):
        encoder = LiaX(network.config().model.generator()).encoder
    of_encoder = sum(weight.numel() for weight in encoder.parameters())
    return Sizes(costs.generator_parameters, of_encoder, costs.discriminator_parameters)
