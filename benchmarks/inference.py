"""How long a driving frame takes, ours against the plain formulation of the same network (`benchmarks/plain.py`).

    .venv/bin/python -m benchmarks.inference
    .venv/bin/python -m benchmarks.inference --device cuda --sizes 512 [--preset base --width 1]

What is timed is what every frame of a driving video costs: its motion, the walk, warp and render, from uint8 pictures
to uint8 pictures. The source is encoded before. Plain and ours take turns, so that a noisy machine disturbs both, and
the fastest of their runs count. On a GPU a whole `animate`, from one video file to another, is timed too.

Exits with 1 if a bound is broken.
"""

import argparse
import copy
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.environment import environment
from benchmarks.plain import plainly
from liax.inference.animator import Animator
from liax.inference.precision import Precision, choose_device, choose_dtype
from liax.inference.renderer import Renderer
from liax.model.config import PRESETS, ModelConfig, preset
from liax.model.network import LiaX
from liax.pictures import Picture, from_model, save_picture, to_model
from liax.synthetic.scenes import portrait
from liax.synthetic.videos import write_video

BOUND_BATCH = 4
RATIO_BOUNDS = {torch.float32: 0.75, torch.bfloat16: 0.25}
"""Ours as a share of plain's time on a CPU at a batch of 4. Plain computes in float32, as it would be written."""
FILE_BOUND_MS = {2.0: 33.0}
"""A frame from file to file on a GPU of the H100's class, in bfloat16 at 512 px, by width: real time at 30 fps."""
NETWORK_BOUND_MS = {1.0: 5.0}
"""The same without reading and writing."""
PEAK_SIDE = {"cpu": 2048, "cuda": 8192, "mps": 4096}
END_TO_END_FRAMES = 300


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; times are of the whole batch."""

    size_px: int
    batch: int
    plain_ms: float
    ours_ms: float
    tflop: float


@dataclass(frozen=True, slots=True)
class Check:
    """A measured value that must not be above its bound."""

    what: str
    value: float
    bound: float


def main() -> int:
    """Measure, print the tables, and return 1 if a bound is broken."""
    options = _parse()
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device)
    options.preset = options.preset or ("large" if _kind(device) == "cuda" else "base")
    for name, value in environment().items():
        print(f"- {name}: {value}")
    side, peak = PEAK_SIDE[_kind(device)], _peak_tflops(device, dtype)
    print(f"- device: {device}, {_name(dtype)}, threads: {torch.get_num_threads()}, compiled: {options.compile}")
    print(f"- product of two matrices of {side} × {side}: {peak:.2f} TFLOP/s\n")
    print("| width | px | batch | plain, ms | ours, ms | ours/plain | ms/frame | TFLOP/s | of the matrix product |")
    print("|---|---|---|---|---|---|---|---|---|")
    checks: list[Check] = []
    configs = [_config(options, size_px) for size_px in options.sizes]
    for config in configs:
        for row in _rows(options, device, dtype, config):
            ratio, tflops = row.ours_ms / row.plain_ms, row.tflop / row.ours_ms * 1000
            cells = (config.width, config.size_px, row.batch, f"{row.plain_ms:.0f}", f"{row.ours_ms:.0f}")
            speed = (f"{ratio:.2f}", f"{row.ours_ms / row.batch:.1f}", f"{tflops:.2f}", f"{tflops / peak:.0%}")
            print("|", " | ".join(map(str, cells + speed)), "|", flush=True)
            checks += _row_checks(config, row, device, dtype)
    if _kind(device) == "cuda":
        checks += [check for config in configs for check in _from_file_to_file(options, device, dtype, config)]
    print()
    for check in checks:
        verdict = "held" if check.value <= check.bound else "BROKEN"
        print(f"{verdict}: {check.what} {check.value:.2f}, at most {check.bound}")
    print("" if checks else "No bound applies to this run.")
    return int(any(check.value > check.bound for check in checks))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", choices=PRESETS, help="default: base, on a CUDA GPU large")
    parser.add_argument("--width", type=float, help="the width multiplier s instead of the preset's")
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512], metavar="PX")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--dtype", choices=get_args(Precision), default="auto")
    parser.add_argument("--compile", action="store_true", help="also torch.compile ours (CUDA)")
    parser.add_argument("--runs", type=int, default=3, help="of each, after one that does not count")
    return parser.parse_args()


def _config(options: argparse.Namespace, size_px: int) -> ModelConfig:
    changes = {} if options.width is None else {"width": options.width}
    return preset(options.preset, size_px).model_copy(update=changes)


def _row_checks(config: ModelConfig, row: Row, device: str, dtype: torch.dtype) -> list[Check]:
    what = f"{config.size_px} px, batch {row.batch}:"
    # Where bfloat16 is emulated it has no bound: `auto` does not choose it there.
    multiplied = dtype in (torch.float32, choose_dtype("auto", device))
    if device == "cpu" and multiplied and row.batch == BOUND_BATCH and config.width == PRESETS["base"].width:
        return [Check(f"{what} ours/plain", row.ours_ms / row.plain_ms, RATIO_BOUNDS[dtype])]
    if _kind(device) == "cuda" and _published(config, dtype) and config.width in NETWORK_BOUND_MS:
        return [Check(f"{what} ms a frame", row.ours_ms / row.batch, NETWORK_BOUND_MS[config.width])]
    return []


def _published(config: ModelConfig, dtype: torch.dtype) -> bool:
    return (config.size_px, config.blocks, dtype) == (512, 4, torch.bfloat16)


def _rows(options: argparse.Namespace, device: str, dtype: torch.dtype, config: ModelConfig) -> list[Row]:
    torch.manual_seed(0)
    size_px, model = config.size_px, LiaX(config).eval()
    plain = plainly(copy.deepcopy(model)).to(device).requires_grad_(False)
    autocast = _kind(device) == "cuda" and dtype != torch.float32
    ours = Renderer(model, device, _name(dtype), compiled=options.compile)
    noise = np.random.default_rng(0)
    source, *driving = noise.integers(0, 256, (1 + max(options.batches), size_px, size_px, 3), dtype=np.uint8)
    encoded = ours.encode([source])
    with torch.inference_mode():
        z_1D, features = plain.encode(to_model([source], device))
    # Counted on the plain form, where every convolution is a direct one.
    tflop = _tflop(lambda: plain.code(to_model([source], device))) + _tflop(lambda: plain.decode(z_1D, features))

    def run_plain(pictures: Sequence[Picture]) -> list[Picture]:
        with torch.inference_mode(), torch.autocast("cuda", dtype, enabled=autocast):
            a_BM = plain.motion_coefficients(plain.code(to_model(pictures, device)))
            return from_model(plain.decode(plain.navigate(z_1D, a_BM), features))

    def run_ours(pictures: Sequence[Picture]) -> list[Picture]:
        return ours.decode(ours.navigate(encoded.z_BD, ours.motion(pictures)), encoded.features)

    rows = []
    for batch in options.batches:
        pictures = driving[:batch]
        plain_ms, ours_ms = _fastest_ms([lambda p=pictures: run_plain(p), lambda p=pictures: run_ours(p)], options.runs)
        rows.append(Row(size_px, batch, plain_ms, ours_ms, tflop * batch))
    return rows


def _fastest_ms(functions: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """The fastest run of each function; they take turns, and a first round does not count."""
    times_ms: list[list[float]] = [[] for _ in functions]
    for _ in range(1 + runs):
        for function, times in zip(functions, times_ms, strict=True):
            start_s = time.perf_counter()
            function()
            times.append((time.perf_counter() - start_s) * 1000)
    return [min(times[1:]) for times in times_ms]


def _tflop(function: Callable[[], object]) -> float:
    """Multiplications and additions of one call, in 10¹²."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops() / 1e12


def _peak_tflops(device: str, dtype: torch.dtype) -> float:
    side = PEAK_SIDE[_kind(device)]
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))

    def product() -> None:
        (left @ right)[0, 0].item()  # which waits for the GPU

    return 2 * side**3 / _fastest_ms([product], 10)[0] / 1e9


def _from_file_to_file(
    options: argparse.Namespace, device: str, dtype: torch.dtype, config: ModelConfig
) -> list[Check]:
    """Time `animate` on a driving video that is framed already: without the search for its face."""
    renderer = Renderer(LiaX(config), device, _name(dtype), compiled=options.compile)
    with tempfile.TemporaryDirectory(prefix="liax-") as scratch:
        portrait_file, video = Path(scratch, "portrait.png"), Path(scratch, "driving.mp4")
        save_picture(portrait(), portrait_file)
        write_video(video, seconds=END_TO_END_FRAMES / 25, size_px=config.size_px)
        animate = partial(Animator(renderer).animate, portrait_file, video, Path(scratch, "out.mp4"), crop=False)
        frame_ms = _fastest_ms([animate], 2)[0] / END_TO_END_FRAMES
    print(f"\nFrom file to file, width {config.width} at {config.size_px} px: {frame_ms:.1f} ms a frame")
    if _published(config, dtype) and config.width in FILE_BOUND_MS:
        return [Check("from file to file, ms a frame", frame_ms, FILE_BOUND_MS[config.width])]
    return []


def _kind(device: str) -> str:
    return torch.device(device).type


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


if __name__ == "__main__":
    sys.exit(main())
