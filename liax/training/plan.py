"""How much memory a training takes, told before anything starts: the table of `--plan`, and the refusal of too little.

The sizes are `liax.training.memory`'s.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from liax.errors import UserError
from liax.model.discriminator import GROUP
from liax.model.layers import largest_divisor
from liax.progress import say
from liax.training.config import TrainConfig
from liax.training.dry_step import StepCosts, dtype_of, step_costs
from liax.training.memory import WorkerMemory, worker_memory
from liax.training.share import Share, divide, usable_workers

GIB = 2**30
STAGES = (0, 1, 2, 3)
RAY_BYTES = GIB
"""The driver's and Ray's processes on a machine that runs all of them."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The memory that a run is compared with."""

    name: str
    free_bytes: int
    all_workers: bool
    """Whether all workers share it, or it is one worker's."""


def require_memory(config: TrainConfig) -> None:
    """Refuse a run that cannot fit, and say so where nothing here can be compared with it.

    Raises:
        UserError: in one line, what needs how much, what there is, and the setting that makes it fit.
    """
    machine = machine_of(config)
    if machine is None:
        say(f"a worker takes {_gib(_own(config).total)} GiB; whether the workers' machines have it is not known here")
        return
    needed = _needed(config, machine)
    if needed <= machine.free_bytes:
        return
    memory = _own(config)
    states = memory.generator.total + memory.discriminator.total + memory.average
    of = f" for workers={config.workers}" if machine.all_workers and config.workers > 1 else ""
    raise UserError(
        f"training takes {_gib(needed)} GiB{of} and {machine.name} has {_gib(machine.free_bytes)} GiB free: a worker's "
        f"step holds {_gib(memory.work)} GiB of maps, its networks with their states {_gib(states)} GiB; "
        f"{_advice(config, machine)} (--plan prints the table)"
    )


def machine_of(config: TrainConfig) -> Machine | None:
    """What the run is compared with, this machine or its GPU; None where the workers are elsewhere."""
    if config.run_on == "ray" and os.environ.get("RAY_ADDRESS"):
        return None
    if config.device == "cuda":
        if not torch.cuda.is_available():
            return None
        name = f"this machine's {torch.cuda.get_device_properties(0).name}"
        return Machine(name, torch.cuda.mem_get_info(0)[0], all_workers=False)
    if config.run_on == "torchrun" and os.environ.get("LOCAL_WORLD_SIZE") != os.environ.get("WORLD_SIZE"):
        return None  # on several machines
    free_bytes = free_memory_bytes()
    return None if free_bytes is None else Machine("this machine", free_bytes, all_workers=True)


def free_memory_bytes() -> int | None:
    """Memory that programs can still have on this machine, or in this container; None where the system does not say."""
    meminfo = _read("/proc/meminfo")
    if meminfo is None:
        return None
    lines = (line.split() for line in meminfo.splitlines())
    free = next((int(line[1]) * 1024 for line in lines if line[0] == "MemAvailable:"), None)
    limit, used = _read("/sys/fs/cgroup/memory.max"), _read("/sys/fs/cgroup/memory.current")
    if free is not None and limit is not None and used is not None and limit.strip() != "max":
        # Read files are counted as used, and given up when programs want the memory.
        kept = next(
            (int(line.split()[1]) for line in (_read("/sys/fs/cgroup/memory.stat") or "").splitlines()
             if line.startswith("inactive_file ")), 0
        )  # fmt: skip
        return min(free, int(limit) - int(used) + kept)
    return free


def plan(config: TrainConfig) -> str:
    """The table of `--plan`: several lines, GiB of one worker by engine and ZeRO stage."""
    share = _share(config)
    costs, recomputed = (_costs(_changed(config, recompute=on), share) for on in (False, True))
    layout, own = config.model.generator(), recomputed if config.compute.recompute else costs
    work = {
        "Gmain": f"{_gib(costs.generator_bytes)}, or {_gib(recomputed.generator_bytes)} with compute.recompute",
        "Dmain": _gib(costs.discriminator_bytes),
        "Dr1": _gib(costs.r1_bytes),
    }
    lines = [
        f"{config.model.preset}, {layout.size_px} px: generator {costs.generator_parameters / 1e6:.1f} M parameters, "
        f"discriminator {costs.discriminator_parameters / 1e6:.1f} M",
        f"batch {config.batch}: {share.world_size} workers × {share.micro_batches} micro-batches × {share.pairs} "
        f"pairs, {str(dtype_of(config)).removeprefix('torch.')}, perceptual: {config.loss.perceptual}",
        "a micro-batch holds, GiB: " + "; ".join(f"{phase} {size}" for phase, size in work.items()),
        "",
        *_table([_row(config, stage, own, share) for stage in (None, *STAGES)]),
        "",
        "GiB of one worker. work: the largest of Gmain, Dmain, Dr1 and the update. leader: the worker with the running "
        "average" + (" and the copy that checkpoints are written from" if config.device == "cpu" else ""),
        _verdict(config),
    ]
    return "\n".join(lines)


def _row(config: TrainConfig, stage: int | None, costs: StepCosts, share: Share) -> list[str]:
    memory = worker_memory(config, stage, costs, share)
    parts = [
        size
        for network in (memory.generator, memory.discriminator)
        for size in (network.weights, network.gradients, network.adam)
    ]
    sizes = (*parts, memory.average, memory.work, memory.buffers, memory.total, memory.follower)
    name = "plain" if stage is None else f"ZeRO {stage}"
    chosen = stage == _stage(config)
    return [f"{name} *" if chosen else name, *map(_gib, sizes)]


def _table(rows: list[list[str]]) -> list[str]:
    heads = ["engine", "G weights", "gradients", "Adam", "D weights", "gradients", "Adam", "EMA", "work", "buffers"]
    cells = [[*heads, "leader", "others"], *rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return ["  ".join(cell.ljust(w) if cell is row[0] else cell.rjust(w) for cell, w in zip(row, widths, strict=True))
            for row in cells]  # fmt: skip


def _verdict(config: TrainConfig) -> str:
    machine, engine = machine_of(config), "plain" if config.engine == "plain" else f"ZeRO {_stage(config)}"
    if machine is None:
        where = "no GPU is here" if config.device == "cuda" else "the workers are on a cluster"
        return f"* this run ({engine}): compared with nothing, because {where}"
    needed = _needed(config, machine)
    who = f"all {config.workers} workers and Ray" if machine.all_workers and config.run_on == "ray" else "a worker"
    end = f"DOES NOT FIT: {_advice(config, machine)}" if needed > machine.free_bytes else "fits"
    note = "" if machine.all_workers else " (other machines were not looked at)"
    sizes = f"{_gib(needed)} of {_gib(machine.free_bytes)} GiB free on {machine.name}"
    return f"* this run ({engine}): {who}, {sizes}{note}: {end}"


def _advice(config: TrainConfig, machine: Machine) -> str:
    """The first of some changes that makes the run fit; each costs more than the one before."""
    dry = {on: _costs(_changed(config, recompute=on), _share(config)) for on in (config.compute.recompute, True)}
    for text, changed in _changes(config):
        share = _share(changed)
        costs = _scaled(dry[changed.compute.recompute], share.pairs)
        memory = worker_memory(changed, _stage(changed), costs, share)
        if _together(changed, memory, machine) <= machine.free_bytes:
            return f"set {text}"
    return "take a smaller model.preset or model.size_px, or more memory"


def _scaled(costs: StepCosts, pairs: int) -> StepCosts:
    """What another number of pairs would hold, nearly: maps are as many as pairs."""
    names = ("generator_bytes", "discriminator_bytes", "r1_bytes")
    return costs.model_copy(update={name: getattr(costs, name) * pairs // costs.pairs for name in names})


def _changes(config: TrainConfig) -> Iterator[tuple[str, TrainConfig]]:
    """Settings that need less memory, as text and as a configuration."""
    pairs, group, least, text = _share(config).pairs, largest_divisor(config.batch, GROUP), config, ""
    while pairs % (2 * group) == 0:
        pairs //= 2
        text, least = f"compute.micro_batch={pairs}", _changed(config, micro_batch=pairs)
        yield text, least
    if not config.compute.recompute:
        yield "compute.recompute=true", _changed(config, recompute=True)
        text, least = f"compute.recompute=true {text}".strip(), _changed(least, recompute=True)
        yield text, least
    if config.run_on == "process":
        return
    for stage in STAGES[1:] if config.workers > 1 else ():
        if stage > (_stage(config) or 0):
            changes = {"engine": "deepspeed", "zero_stage": stage}
            yield f"engine=deepspeed zero_stage={stage} {text}".strip(), least.model_copy(update=changes)
    for workers in range(config.workers - 1, 0, -1) if (config.device, config.run_on) == ("cpu", "ray") else ():
        if workers == usable_workers(config.batch, workers):
            yield f"workers={workers} {text}".strip(), least.model_copy(update={"workers": workers})


def _changed(config: TrainConfig, **compute: object) -> TrainConfig:
    return config.model_copy(update={"compute": config.compute.model_copy(update=compute)})


def _needed(config: TrainConfig, machine: Machine) -> int:
    return _together(config, _own(config), machine)


def _together(config: TrainConfig, memory: WorkerMemory, machine: Machine) -> int:
    if not machine.all_workers:
        return memory.total
    here = config.workers
    if config.run_on == "torchrun":  # which tells each process how many it started on its machine
        here = int(os.environ.get("LOCAL_WORLD_SIZE", here))
    return memory.total + (here - 1) * memory.follower + (RAY_BYTES if config.run_on == "ray" else 0)


def _own(config: TrainConfig) -> WorkerMemory:
    share = _share(config)
    return worker_memory(config, _stage(config), _costs(config, share), share)


def _costs(config: TrainConfig, share: Share) -> StepCosts:
    return step_costs(config, share.pairs)


def _share(config: TrainConfig) -> Share:
    return divide(config.batch, config.workers, config.compute.micro_batch)


def _stage(config: TrainConfig) -> int | None:
    if config.engine == "plain":
        return None
    return 1 if config.zero_stage is None else config.zero_stage


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text()
    except OSError:
        return None  # not Linux, or another kind of container


def _gib(size: float) -> str:
    return f"{size / GIB:.2f}"
