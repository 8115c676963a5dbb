"""How long a training step takes: against the plain formulation (`benchmarks/plain.py`), and the whole stack round it.

    .venv/bin/python -m benchmarks.train_step --presets tiny small
    .venv/bin/python -m benchmarks.train_step --presets base middle large --sizes 256 512 --pairs 16 --device cuda
    .venv/bin/python -m benchmarks.train_step --presets small --full-stack

A row is a bare loop on random pictures: Gmain, Dmain, now and then Dr1, both updates, the running average; no data, no
records, no checkpoints. Plain has the same step round a generator that computes plainly. Rows are processes of their
own and take turns; the fastest step of each kind counts, and a step is the mean over R1's period. TFLOP/s are of
the formulas' FLOPs (`liax.training.flops`), whichever way they are computed. "plan" is what `liax train --plan` says.

`--full-stack` runs `liax train`, with shards, Ray, DeepSpeed and tracking, against the bare loop of the same settings.

Needs PyTorch and the light dependencies; rows of DeepSpeed are measured where it is installed, the whole stack where
all is. Exits with 1 if a bound is broken.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from benchmarks.environment import BYTES_PER_GIB, ROOT, environment
from liax.config import load_config
from liax.training.config import TrainConfig
from liax.training.dry_step import dtype_of, step_costs
from liax.training.flops import pair_flop, peak_flops
from liax.training.memory import worker_memory
from liax.training.share import divide

ENGINES = {"plain": None, "ZeRO 0": 0, "ZeRO 1": 1, "ZeRO 2": 2, "ZeRO 3": 3}
OVERHEAD_BOUND = 1.05
"""A whole stack's step as a share of the bare loop's."""
PAIRS_BOUNDS = {"middle": 40.0, "large": 12.0}
"""Pairs a second at least, at 512 px on a GPU of the H100's class. `middle` is s = 1 and two blocks deeper than the
other widths, so for it the bound of s = 1 is a strict one."""
MFU_BOUND = 0.35
BOUND_GPUS = ("H100", "H200")
FULL_R1_EVERY, FULL_PERIODS = 4, 5
"""A whole stack runs so many periods of R1, of which the first does not count."""


@dataclass(slots=True)
class Row:
    """One line of the table."""

    config: TrainConfig
    overrides: list[str]
    name: str
    plain: bool = False
    usual_s: list[float] = field(default_factory=list)
    r1_s: list[float] = field(default_factory=list)
    peak_bytes: int | None = None
    failure: str | None = None

    def step_s(self) -> float:
        """Mean over R1's period, of the fastest steps."""
        return mean_step_s(self.config, min(self.usual_s), min(self.r1_s))


@dataclass(frozen=True, slots=True)
class Check:
    """A measured value and its bound."""

    what: str
    value: float
    bound: float
    at_least: bool

    @property
    def held(self) -> bool:
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def main() -> int:
    """Measure, print the tables, and return 1 if a bound is broken."""
    options = _parse()
    for name, value in environment().items():
        print(f"- {name}: {value}")
    settings = (f"{name} {getattr(options, name)}" for name in ("device", "dtype", "perceptual", "threads"))
    print(f"- {', '.join(settings)}\n")
    checks: list[Check] = []
    if options.full_stack:
        for preset in options.presets:
            for size_px in options.sizes or [None]:
                checks += _full_stack(options, preset, size_px)
    else:
        checks = _steps(options)
    print()
    for check in checks:
        side = "at least" if check.at_least else "at most"
        print(f"{'held' if check.held else 'BROKEN'}: {check.what} {check.value:.2f}, {side} {check.bound}")
    print("" if checks else "No bound applies to this run.")
    return int(not all(check.held for check in checks))


def mean_step_s(config: TrainConfig, usual_s: float, r1_s: float) -> float:
    """Seconds of a step, R1's share in it."""
    every = config.loss.r1_every
    return ((every - 1) * usual_s + r1_s) / every


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", default=["tiny"])
    parser.add_argument("--sizes", type=int, nargs="+", metavar="PX", help="default: the preset's")
    parser.add_argument("--pairs", type=int, nargs="+", default=[8], help="of a micro-batch, which is the batch here")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--dtype", default="auto", choices=["float32", "bfloat16", "auto"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--perceptual", default="none", choices=["none", "random"])
    parser.add_argument("--recompute", action="store_true")
    parser.add_argument("--without-plain", action="store_true", help="leave the plain formulation out")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--runs", type=int, default=3, help="steps of each kind in a turn, after a first")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each row")
    parser.add_argument("--full-stack", action="store_true", help="the whole stack against the bare loop")
    parser.add_argument("--time-limit-s", type=float, default=3600.0, help="of a row's turn")
    return parser.parse_args()


def _steps(options: argparse.Namespace) -> list[Check]:
    heads = (
        "preset",
        "px",
        "pairs",
        "what",
        "ms/step",
        "pairs/s",
        "TFLOP/s",
        "MFU",
        "peak, GiB",
        "plan, GiB",
        "/plain",
    )
    print("|", " | ".join(heads), "|\n" + "|---" * len(heads) + "|")
    checks: list[Check] = []
    for preset in options.presets:
        for size_px in options.sizes or [None]:
            for pairs in options.pairs:
                rows = _rows(options, preset, size_px, pairs)
                for _ in range(options.rounds):
                    for row in rows:
                        _take_turn(row, options)
                for row in rows:
                    print("|", " | ".join(_cells(row, rows[0])), "|", flush=True)
                    checks += _checks(row)
    return checks


def _rows(options: argparse.Namespace, preset: str, size_px: int | None, pairs: int) -> list[Row]:
    rows = []
    if not options.without_plain:
        rows.append(_row(options, preset, size_px, pairs, "plain formulation", None, plain=True))
    for engine in options.engines:
        if ENGINES[engine] is None or importlib.util.find_spec("deepspeed"):
            name = "ours" if ENGINES[engine] is None else f"ours, {engine}"
            rows.append(_row(options, preset, size_px, pairs, name, ENGINES[engine]))
    return rows


def _row(
    options: argparse.Namespace,
    preset: str,
    size_px: int | None,
    pairs: int,
    name: str,
    stage: int | None,
    *,
    plain: bool = False,
) -> Row:
    overrides = [
        *(f"model.preset={preset}", f"batch={pairs}", f"cpus_per_worker={options.threads}"),
        *(f"device={options.device}", f"compute.dtype={options.dtype}", f"loss.perceptual={options.perceptual}"),
        *(f"compute.recompute={str(options.recompute and not plain).lower()}",),
        *([] if size_px is None else [f"model.size_px={size_px}"]),
        *([] if stage is None else ["engine=deepspeed", f"zero_stage={stage}"]),
    ]
    return Row(load_config(TrainConfig, None, ["shards=none", "output=none", *overrides]), overrides, name, plain)


def _take_turn(row: Row, options: argparse.Namespace) -> None:
    """Measure once more, in a process of its own; what fails is a row that says so."""
    if row.failure is not None:
        return
    request = json.dumps({"overrides": row.overrides, "plain": row.plain, "runs": options.runs})
    command = [sys.executable, "-m", "benchmarks.train_row", request]
    # A session of its own, as Ray's workers have: Linux shares processors out by sessions first.
    run = partial(subprocess.run, cwd=ROOT, capture_output=True, text=True, start_new_session=True)
    done = run(command, timeout=options.time_limit_s)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        # -9 is the system's, for want of memory.
        row.failure = lines[-1][:120] if lines else f"ended with {done.returncode}"
        return
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    row.usual_s += measured["usual_s"]
    row.r1_s += measured["r1_s"]
    peaks = [bytes_ for bytes_ in (row.peak_bytes, measured["peak_bytes"]) if bytes_ is not None]
    row.peak_bytes = max(peaks, default=None)


def _cells(row: Row, first: Row) -> list[str]:
    config = row.config
    layout = config.model.generator()
    head = [config.model.preset, str(layout.size_px), str(config.batch), row.name]
    planned = "–" if row.plain else f"{_planned_bytes(config) / BYTES_PER_GIB:.2f}"
    if row.failure is not None:
        return [*head, f"failed: {row.failure}", *["–"] * 4, planned, "–"]
    step_s, utilisation = row.step_s(), _utilisation(row)
    against = f"{step_s / first.step_s():.2f}" if first.plain and first.failure is None else "–"
    return [
        *head,
        f"{step_s * 1000:.0f}",
        f"{config.batch / step_s:.2f}",
        f"{pair_flop(config) * config.batch / step_s / 1e12:.3f}",
        "–" if utilisation is None else f"{utilisation:.1%}",
        "–" if row.peak_bytes is None else f"{row.peak_bytes / BYTES_PER_GIB:.2f}",
        planned,
        against,
    ]


def _planned_bytes(config: TrainConfig) -> int:
    """The leading worker's, without the copy of a checkpoint: none is written here."""
    share = divide(config.batch, 1, config.compute.micro_batch)
    stage = None if config.engine == "plain" else config.zero_stage
    memory = worker_memory(config, stage, step_costs(config, share.pairs), share)
    return memory.total - memory.saving


def _utilisation(row: Row) -> float | None:
    peak = peak_flops(torch.device(row.config.device), dtype_of(row.config))
    return None if peak is None else pair_flop(row.config) * row.config.batch / row.step_s() / peak


def _checks(row: Row) -> list[Check]:
    config, utilisation = row.config, _utilisation(row) if row.failure is None else None
    here = config.device == "cuda" and any(gpu in torch.cuda.get_device_name() for gpu in BOUND_GPUS)
    wanted = PAIRS_BOUNDS.get(config.model.preset)
    if not here or row.plain or utilisation is None or wanted is None or config.model.generator().size_px != 512:
        return []
    what = f"{config.model.preset}, {config.batch} pairs, {row.name}:"
    return [
        Check(f"{what} pairs/s", config.batch / row.step_s(), wanted, at_least=True),
        Check(f"{what} MFU", utilisation, MFU_BOUND, at_least=True),
    ]


def _full_stack(options: argparse.Namespace, preset: str, size_px: int | None) -> list[Check]:
    """Time `liax train` between two turns of the bare loop of its settings; medians, for stalls are to be seen."""
    from benchmarks.train_stack import whole_run

    overrides = _row(options, preset, size_px, options.pairs[0], "", 1).overrides
    overrides += ["loss.adversarial_start_step=0", f"loss.r1_every={FULL_R1_EVERY}"]
    config = load_config(TrainConfig, None, ["shards=none", "output=none", *overrides])
    size, steps = config.model.generator().size_px, 1 + FULL_R1_EVERY * FULL_PERIODS
    bare_s = [_bare_s(config, overrides, options)]
    whole = whole_run(overrides, size, steps, FULL_R1_EVERY, options.time_limit_s)
    bare_s.append(_bare_s(config, overrides, options))
    whole_s = mean_step_s(config, statistics.median(whole.usual_s), statistics.median(whole.r1_s))
    times = " / ".join(f"{step_s * 1000:.0f}" for step_s in (bare_s[0], whole_s, bare_s[1]))
    print(f"{preset}, {size} px, {config.batch} pairs, ms a step of bare loop / whole stack / bare loop: {times}")
    print(f"seconds of the whole stack's run by part: {whole.parts_s}")
    if max(bare_s) > OVERHEAD_BOUND * min(bare_s):
        print("The bare loop's turns differ by more than the bound: this machine is too busy to judge by it.")
        return []
    ratio = whole_s / statistics.mean(bare_s)
    return [Check(f"{preset}, {size} px: whole stack/bare loop", ratio, OVERHEAD_BOUND, at_least=False)]


def _bare_s(config: TrainConfig, overrides: list[str], options: argparse.Namespace) -> float:
    row = Row(config, overrides, "bare loop")
    _take_turn(row, options)
    if row.failure is not None:
        raise SystemExit(f"the bare loop failed: {row.failure}")
    return mean_step_s(config, statistics.median(row.usual_s), statistics.median(row.r1_s))


if __name__ == "__main__":
    sys.exit(main())
