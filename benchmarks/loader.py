"""How fast the loader gives training pairs, against the bare decoding of the same frames, and how soon it starts.

    .venv/bin/python -m benchmarks.loader [--size 512]

Clips are made as the preprocessing stores them. The floor opens each pair's clip from memory, seeks, decodes up to the
frames and converts them to RGB with PyAV, in one thread, and does nothing else: no files, no order, no batches, no
other process. The loader reads the same pairs from shards, decodes them in processes of its own and hands over whole
batches. They take turns, and the best round of each counts. A core's second is one of processor time, of all
processes together, so that other work on the machine weighs as little as it can.

Exits with 1 if the loader is below 0.9 of the floor or below 100 frames/s/core, or if a million clips take longer than
10 s to be ordered, or an order 1 s to be entered anywhere.
"""

import argparse
import io
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import psutil
import torch

from benchmarks.environment import environment
from benchmarks.preprocess_videos import make_videos
from liax.data.clip_table import ClipTable, TarReader
from liax.data.dataset import PairDataset, clips_of
from liax.data.loader import Places, load_steps, open_pairs
from liax.data.order import OrderSettings, Pair, PairOrder
from liax.sample import SampleInfo
from liax.shards import CommitSample, SampleRef, ShardSet, commit_shard, write_tar
from liax.training.config import DataConfig
from liax.video.cut import cut_clip
from liax.video.probe import frame_table, probe
from pipelines.config import ClipConfig

FPS = 25
BATCH = 16
SET_CLIPS = 64
"""More than a batch has; few of them are different, which decoding does not notice."""
LEAST_SHARE, LEAST_FRAMES_PER_S = 0.9, 100.0
MANY_CLIPS, MOST_ORDER_S, MOST_ENTER_S = 1_000_000, 10.0, 1.0
DEEP_STEP = 10_000_000
WARM_STEPS = 3
"""Not measured: processes start and import in them."""


@dataclass(slots=True)
class Row:
    """One way to get pairs, and the best of its rounds."""

    name: str
    measure: Callable[[range], tuple[float, float]]
    """Gives the processor and the wall seconds for some steps."""
    cpu_s: float = float("inf")
    wall_s: float = float("inf")


def main() -> None:
    """Measure, print the tables, and exit with 1 if a bound is broken."""
    options = _parse()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for name, value in environment().items():
        print(f"- {name}: {value}")
    load = psutil.getloadavg()[0] / (psutil.cpu_count() or 1)
    print(f"- other work at the start: {load:.1f} runnable processes a core")
    print(f"- clips: {options.size} px, {FPS} fps, {options.seconds:g} s; batch {BATCH}\n")
    with tempfile.TemporaryDirectory(prefix="liax-loader-") as scratch:
        kept_floor = _speed(_write_set(Path(scratch), options), options)
    kept_start = options.only_speed or _start()
    if not (kept_floor and kept_start):
        sys.exit(1)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512, metavar="PX", help="of clips and pictures (default: 512)")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a clip (default: 8)")
    parser.add_argument("--steps", type=int, default=8, help=f"of {BATCH} pairs in each round (default: 8)")
    parser.add_argument("--rounds", type=int, default=8, help="default: 8")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2], help="that decode (default: 1 and 2)")
    parser.add_argument("--only-speed", action="store_true", help="leave out the million clips")
    return parser.parse_args()


def _write_set(folder: Path, options: argparse.Namespace) -> str:
    """A committed shard set, whose clips are those of a few videos again and again."""
    made = []
    for video in sorted(make_videos(folder, "512px", 4, options.seconds).iterdir()):
        clip = folder / f"clip-{video.name}"
        _cut(video, clip, options)
        times_s, is_key = frame_table(clip)
        made.append((clip.read_bytes(), np.flatnonzero(is_key).tolist(), len(times_s)))
    samples = []
    for number in range(SET_CLIPS):
        data, keyframes, frames = made[number % len(made)]
        info = SampleInfo.model_construct(
            key=f"clip{number:02d}",
            split="train",
            identity=None,
            source_sha256=f"{number}",
            frames=frames,
            fps=float(FPS),
            size_px=options.size,
            keyframes=keyframes,
        )
        samples.append((info, {"mp4": data}))
    tar = folder / "shard.tar"
    commit_shard(str(folder / "set"), 0, tar, write_tar(tar, samples))
    return str(folder / "set")


def _cut(video: Path, clip: Path, options: argparse.Namespace) -> None:
    stored = ClipConfig()
    cut_clip(
        video,
        clip,
        probe(video),
        start_s=0.0,
        frames=round(options.seconds * FPS),
        fps=FPS,
        square_px=(0, 0, 512),
        size_px=options.size,
        crf=stored.crf,
        keyframe_interval=stored.keyframe_interval,
        preset=stored.preset,
        fast_decoding=stored.fast_decoding,
        codec=stored.codec,
        jpeg_quality=stored.jpeg_quality,
    )


def _speed(url: str, options: argparse.Namespace) -> bool:
    """Print the table of speeds; whether the loader keeps its bounds."""
    shards, settings = ShardSet(url), DataConfig()
    pairs = open_pairs(shards, settings, seed=0, size_px=options.size, batch=BATCH)
    rows = [
        Row("bare decoding (the floor)", _floor(shards, settings)),
        Row("loader, no process of its own", _loader(pairs, 0)),
        *(Row(f"loader, {n} process{'es' if n > 1 else ''}", _loader(pairs, n)) for n in options.processes),
    ]
    for _ in range(options.rounds):
        for row in rows:
            cpu_s, wall_s = row.measure(range(WARM_STEPS, WARM_STEPS + options.steps))
            row.cpu_s, row.wall_s = min(row.cpu_s, cpu_s), min(row.wall_s, wall_s)
    count, floor_s = options.steps * BATCH, rows[0].cpu_s
    print("| | pairs/s/core | frames/s/core | of the floor | pairs/s by the clock |")
    print("|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.name} | {count / row.cpu_s:.1f} | {2 * count / row.cpu_s:.0f} | {floor_s / row.cpu_s:.2f} "
            f"| {count / row.wall_s:.1f} |"
        )
    print()
    slowest_s = max(row.cpu_s for row in rows[1:])
    return floor_s / slowest_s >= LEAST_SHARE and 2 * count / slowest_s >= LEAST_FRAMES_PER_S


def _floor(shards: ShardSet, settings: DataConfig) -> Callable[[range], tuple[float, float]]:
    samples = shards.samples
    videos = [shards.read(ref, "mp4") for ref in samples]
    order = PairOrder(
        clips_of(samples),
        OrderSettings(
            BATCH,
            pairs_per_clip=settings.pairs_per_clip,
            least_gap_frames=settings.least_gap_frames,
            shuffle_shards=settings.shuffle_shards,
        ),
    )

    def measure(steps: range) -> tuple[float, float]:
        wanted = [order.at(position) for position in range(steps.start * BATCH, steps.stop * BATCH)]
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        for pair in wanted:
            _decode_pair(videos[pair.sample], pair, samples[pair.sample].sample.keyframes)
        return time.process_time() - cpu_s, time.perf_counter() - wall_s

    return measure


def _decode_pair(video: bytes, pair: Pair, keyframes: list[int]) -> list[np.ndarray]:
    """Both frames in the order in which they are stored; what is decoded for the first is not decoded again."""
    found: list[np.ndarray] = []
    with av.open(io.BytesIO(video), options={"probesize": "32"}) as container:  # else it decodes the beginning, too
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        at, frames = -1, iter(())
        for wanted in sorted((pair.source_frame, pair.driving_frame)):
            start = max(key for key in keyframes if key <= wanted)
            if start > at:
                container.seek(int((start + 0.5) / FPS / stream.time_base), stream=stream)
                frames, at = container.decode(stream), start - 1
            while at < wanted:
                frame, at = next(frames), at + 1
            found.append(frame.to_ndarray(format="rgb24", threads=1))
    return found


def _loader(pairs: PairDataset, processes: int) -> Callable[[range], tuple[float, float]]:
    def measure(steps: range) -> tuple[float, float]:
        # As much is decoded ahead at the end of the measured steps as at their beginning.
        all_steps = range(steps.start - WARM_STEPS, steps.stop + WARM_STEPS)
        given = load_steps(pairs, Places(BATCH), all_steps, processes=processes)
        for _ in range(WARM_STEPS):
            next(given)
        cpu_s, wall_s = _all_cpu_s(), time.perf_counter()
        for _ in steps:
            next(given)
        spent = _all_cpu_s() - cpu_s, time.perf_counter() - wall_s
        given.close()
        return spent

    return measure


def _all_cpu_s() -> float:
    """Processor seconds of this process and the living ones that it started."""
    children = psutil.Process().children(recursive=True)
    return time.process_time() + sum(sum(child.cpu_times()[:2]) for child in children)


def _start() -> bool:
    """Print how long it takes to begin with many clips; whether that keeps its bounds."""
    samples = list(_many_samples())
    timed: dict[str, float] = {}

    def clock(name: str, work: Callable[[], Any]) -> Any:
        started_s = time.process_time()
        made = work()
        timed[name] = time.process_time() - started_s
        return made

    settings = OrderSettings(64, pairs_per_clip=DataConfig().pairs_per_clip)
    order = clock("their order", lambda: PairOrder(clips_of(samples), settings))
    first, deep = "the first step's 64 pairs", f"step {DEEP_STEP:,}'s, entered at once"
    clock(first, lambda: [order.at(place) for place in range(64)])
    clock(deep, lambda: [order.at(DEEP_STEP * 64 + place) for place in range(64)])
    length = len(order)
    clock("every window of an epoch", lambda: [order.at(position) for position in range(0, length, 4096)])
    table = clock("their places in tars", lambda: ClipTable(samples))
    written = clock("both, written for a loader process", lambda: pickle.dumps((TarReader(), table, order), protocol=5))
    clock("and read there", lambda: pickle.loads(written))  # noqa: S301 - written in the line above
    print(f"| {MANY_CLIPS:,} clips in shards of 1000, {length:,} pairs an epoch | s of one core |")
    print("|---|---|")
    for name, seconds in timed.items():
        print(f"| {name} | {seconds:.3f} |")
    print(f"\nA loader process is given {len(written) / 1e6:.0f} MB.")
    return timed["their order"] <= MOST_ORDER_S and max(timed[first], timed[deep]) <= MOST_ENTER_S


def _many_samples() -> Iterator[SampleRef]:
    for number in range(MANY_CLIPS):
        sample = CommitSample.model_construct(
            key=f"{number:032x}",
            split="train",
            identity=f"person{number // 5}",
            source_sha256="",
            frames=200,
            fps=float(FPS),
            size_px=512,
            keyframes=list(range(0, 200, 8)),
            offsets={"mp4": (number % 1000 * 10_000_000, 2_600_000)},
        )
        yield SampleRef(sample, f"s3://bucket/shards/{number // 1000:016x}.tar")


if __name__ == "__main__":
    main()
