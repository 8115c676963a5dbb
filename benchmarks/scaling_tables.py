"""The tables of `docs/scaling.md`, as text. `benchmarks/scaling.py` puts them there."""

from collections.abc import Callable

from benchmarks.scaling_machines import (
    CARD_GIB,
    ETHERNET_BYTES_PER_S,
    FLEETS,
    GPUS,
    GPUS_A_MACHINE,
    S3_BYTES_PER_S,
    Fleet,
    Gpu,
)
from benchmarks.scaling_model import (
    NETWORKS,
    STAGES,
    Assumptions,
    Network,
    checkpoint_bytes,
    choose,
    least_pairs,
    step_of,
)
from benchmarks.scaling_preprocess import FRAMES, Corpus, driver, preprocessing, storage
from benchmarks.scaling_results import Measured, table
from liax.training.config import TrainConfig

LIA_PAIRS = TrainConfig.model_fields["steps"].default * TrainConfig.model_fields["batch"].default
"""Of a run as our configurations have it: LIA's 800,000 steps of 64 pairs."""
MOST_WIRE_SHARE = 0.1
"""How much of a step sending may take. Our choice: the tenth that a run on more GPUs is gladly paid with."""
GIB, GB, HOUR_S = 2**30, 1e9, 3600


def computing(measured: Measured, assumed: Assumptions) -> str:
    """What a pair costs, and how fast one GPU would be."""
    rows = []
    for network in NETWORKS:
        sizes, flop = network.sizes(), network.pair_flop()
        cells = [*_name(network), f"{sizes.generator / 1e6:.1f}", f"{sizes.discriminator / 1e6:.1f}"]
        cells.append(f"{flop / 1e12:.2f}")
        cells += [f"{pairs_per_s(network, gpu, assumed):.1f}" for gpu in GPUS.values()]
        rows.append(cells)
    heads = ["preset", "px", "generator, M", "discriminator, M", "TFLOP a pair"]
    return table([*heads, *(f"pairs/s, one {gpu}" for gpu in GPUS)], rows)


def runs(measured: Measured, assumed: Assumptions) -> str:
    """Time and cost of a training, by network and fleet."""
    rows = []
    for network in NETWORKS:
        for fleet in FLEETS:
            rate = fleet.batch / step_of(network, fleet, assumed.mfu_of(fleet.gpu, network), network.stage).total_s
            cells = [*_name(network), _fleet(fleet), assumed.source(fleet.gpu, network), f"{rate:,.0f}"]
            for pairs in (FRAMES, LIA_PAIRS):
                hours = pairs / rate / HOUR_S
                cost = hours * fleet.workers * assumed.prices_usd[fleet.gpu.name]
                cells += [_time(hours), f"${cost:,.0f}"]
            rows.append(cells)
    heads = ["preset", "px", "on", "MFU", "pairs/s", f"{FRAMES / 1e6:.0f} M pairs", "cost"]
    return table([*heads, f"{LIA_PAIRS / 1e6:.1f} M pairs", "cost"], rows)


def loading(measured: Measured, assumed: Assumptions) -> str:
    """Cores that decode for one GPU, against those that there are."""
    rows = []
    clip_bytes = measured.frame_bytes * FRAMES / Corpus().clips
    for network in NETWORKS:
        data = network.config().data
        cells = [*_name(network), str(data.loader_workers)]
        for gpu in GPUS.values():
            rate = pairs_per_s(network, gpu, assumed)
            needed = rate / measured.loader_pairs_per_s
            short = " **short**" if needed > data.loader_workers else ""
            cells += [f"{needed:.1f}{short}", f"{rate * clip_bytes / data.pairs_per_clip / 1e6:.0f}"]
        rows.append(cells)
    heads = ["preset", "px", "`loader_workers` of its file"]
    for gpu in GPUS.values():
        heads += [f"cores for one {gpu.name} ({gpu.cores // GPUS_A_MACHINE} there)", "MB/s of clips"]
    return table(heads, rows)


def traffic(measured: Measured, assumed: Assumptions) -> str:
    """Bytes that each worker sends in a step, by ZeRO stage."""
    rows = []
    for network in NETWORKS:
        for fleet in FLEETS:
            workers, batch = fleet.workers, fleet.batch
            micro_batches = network.micro_batches(workers, batch)
            cells = [*_name(network), f"{workers} × {micro_batches} × {batch // workers // micro_batches}"]
            for stage in STAGES:
                sent = network.collectives(stage, workers, batch).sent_bytes(workers)
                text = f"{sent / GB:.2f}"
                cells.append(f"**{text}**" if stage == network.stage else text)
            rows.append(cells)
    stages = ["plain, ZeRO 0", "ZeRO 1", "ZeRO 2", "ZeRO 3, at most"]
    return table(["preset", "px", "workers × micro-batches × pairs", *(f"{name}, GB" for name in stages)], rows)


def hiding(measured: Measured, assumed: Assumptions) -> str:
    """How much of a step the wire takes if nothing is hidden, with the stage of each network's file."""
    rows = []
    for network in NETWORKS:
        cells = [*_name(network), _stage(network.stage)]
        for fleet in FLEETS:
            step = step_of(network, fleet, assumed.mfu_of(fleet.gpu, network), network.stage)
            cells += [f"{step.compute_s * 1000:.0f}", f"{step.wire_s * 1000:.0f}", f"{step.wire_share:.0%}"]
        rows.append(cells)
    heads = ["preset", "px", "engine"]
    for fleet in FLEETS:
        heads += [f"{_fleet(fleet)}: computing, ms", f"{_wire(fleet)}, ms", "share"]
    return table(heads, rows)


def scaling_end(measured: Measured, assumed: Assumptions) -> str:
    """Pairs that each worker needs so that the wire takes a tenth of the step, by network of machines."""
    rows = []
    for network in NETWORKS:
        cells = [*_name(network), _stage(network.stage)]
        for gpu in GPUS.values():
            for _, bytes_per_s in _wires(gpu):
                mfu = assumed.mfu_of(gpu, network)
                cells.append(str(least_pairs(network, gpu, mfu, bytes_per_s, MOST_WIRE_SHARE)))
        rows.append(cells)
    heads = [f"{gpu.name}, {name}" for gpu in GPUS.values() for name, _ in _wires(gpu)]
    return table(["preset", "px", "engine", *heads], rows)


def checkpoints(measured: Measured, assumed: Assumptions) -> str:
    """Size of a checkpoint, its way to S3, and how long the steps between two of them take."""
    rows = []
    for network in NETWORKS:
        size_bytes, every = checkpoint_bytes(network), network.config().checkpoint.every_steps
        cells = [*_name(network), f"{size_bytes / GB:.2f}", f"{size_bytes / S3_BYTES_PER_S:.0f}"]
        for fleet in FLEETS:
            step = step_of(network, fleet, assumed.mfu_of(fleet.gpu, network), network.stage)
            cells.append(f"{every * step.total_s:,.0f}")
        rows.append(cells)
    between = [f"s between two, {_fleet(fleet)}" for fleet in FLEETS]
    return table(["preset", "px", "GB", f"s to S3 at {S3_BYTES_PER_S / 1e6:.0f} MB/s", *between], rows)


def states(measured: Measured, assumed: Assumptions) -> str:
    """What networks and their states take of a worker, by stage, and what a micro-batch holds beside them."""
    rows = []
    for network in NETWORKS:
        config = network.config(GPUS_A_MACHINE)
        cells = [*_name(network)]
        for stage in STAGES:
            memory = network.memory(config, stage)
            cells.append(f"{(memory.generator.total + memory.discriminator.total + memory.average) / GIB:.1f}")
        pairs = network.costs(config).pairs
        cells += [str(pairs), f"{network.memory(config, network.stage).work / GIB:.1f}"]
        rows.append(cells)
    stages = ["plain", "ZeRO 1", "ZeRO 2", "ZeRO 3"]
    return table(["preset", "px", *stages, "pairs of a micro-batch", "what it holds"], rows)


def choices(measured: Measured, assumed: Assumptions) -> str:
    """What to set for which card, with eight workers and 64 pairs."""
    rows = []
    for network in NETWORKS:
        cells = [*_name(network)]
        for gib in CARD_GIB.values():
            choice = choose(network, gib)
            if choice is None:
                cells.append("nothing fits")
                continue
            recompute = ", recompute" if choice.recompute else ""
            size = f"{choice.total_bytes / GIB:.0f} GiB"
            cells.append(f"{_stage(choice.stage)}, micro-batch {choice.pairs}{recompute}: {size}")
        rows.append(cells)
    return table(["preset", "px", *(f"card of {name}" for name in CARD_GIB)], rows)


def pairs_per_s(network: Network, gpu: Gpu, assumed: Assumptions) -> float:
    """Of one GPU that waits for nothing."""
    return gpu.peak_flops * assumed.mfu_of(gpu, network) / network.pair_flop()


TABLES: dict[str, Callable[[Measured, Assumptions], str]] = {
    "preprocessing": preprocessing,
    "storage": storage,
    "driver": driver,
    "computing": computing,
    "runs": runs,
    "loading": loading,
    "traffic": traffic,
    "hiding": hiding,
    "scaling-end": scaling_end,
    "checkpoints": checkpoints,
    "states": states,
    "choices": choices,
}
"""By their names in the document."""


def _name(network: Network) -> list[str]:
    return [network.preset, str(network.size_px)]


def _stage(stage: int | None) -> str:
    return "plain" if stage is None else f"ZeRO {stage}"


def _fleet(fleet: Fleet) -> str:
    return f"{fleet.workers} {fleet.gpu.name}"


def _wire(fleet: Fleet) -> str:
    return "NVLink" if fleet.workers <= GPUS_A_MACHINE else fleet.gpu.between


def _wires(gpu: Gpu) -> list[tuple[str, float]]:
    """What may be between workers, with its bytes a second."""
    return [
        ("NVLink", gpu.inside_bytes_per_s),
        (gpu.between, gpu.between_bytes_per_s),
        ("100 Gb/s", ETHERNET_BYTES_PER_S),
    ]


def _time(hours: float) -> str:
    if hours < 24:
        return f"{hours:.1f} h"
    return f"{hours / 24:.1f} days" if hours < 240 else f"{hours / 24:,.0f} days"
