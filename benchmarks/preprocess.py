"""What the preprocessing costs, against the floor of its bare stages (`benchmarks/preprocess_floor.py`).

    .venv/bin/python -m benchmarks.preprocess
    .venv/bin/python -m benchmarks.preprocess --videos DIR [section.field=value …]

Runs `liax preprocess` with one and with two workers, each worker on a core of its own, and the bare stages of the same
videos in as many processes on the same cores. Without --videos it makes its own (`benchmarks/preprocess_videos.py`).

A job's start (the workers' processes, their models) takes the same few seconds whatever the number of videos. It
is measured with videos of two seconds, one for each worker, and left out of the rates. "Whole job" has it: all
of the job's time from probing the videos to writing the tables, as its summary states it. Before that Python and Ray
start and the videos are listed, and after it the report is drawn: these are in no number.

The bounds hold for its own videos and two workers; which were not checked is said. Exits with 1 if a bound is broken,
or if one of its own videos gave no clip. Linux only.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.preprocess_floor import FloorSeconds
from benchmarks.preprocess_videos import GROUPS, make_videos
from liax.config import load_config
from liax.sample import SampleInfo
from liax.video.probe import frame_table
from pipelines.config import PreprocessConfig
from pipelines.outcomes import SegmentRecord

WORKERS = (1, 2)
START_S = 2.0
"""Length of the videos with which the start is measured: long enough for a clip."""
CORPUS_FRAMES = 94_000_000
"""Frames of the paper's training corpus."""
SHARE, RATE = "share of the floor", "source frames/s/core"
FLOOR_BOUND = 0.8
"""Least share of the floor's rate, with two workers."""
BOUND_WORKERS = 2
"""With how many workers the bounds hold."""
RATE_BOUNDS = {"1080p": 50.0, "512px": 80.0}
"""Least source frames a second and core, with two workers."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of the job on some videos."""

    frames: int
    wall_s: float
    stages_s: Mapping[str, float]
    clips: Mapping[str, Sequence[SampleInfo]]
    """By source, duplicates and broken ones left out."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; rates are in source frames a second and core."""

    group: str
    workers: int
    run: Measured
    start: Measured
    floor: FloorSeconds

    @property
    def rate(self) -> float:
        if self.run.wall_s <= self.start.wall_s:
            raise SystemExit(f"{self.group} took no longer than a job's start: give more or longer videos")
        return (self.run.frames - self.start.frames) / (self.run.wall_s - self.start.wall_s) / self.workers

    @property
    def whole_rate(self) -> float:
        return self.run.frames / self.run.wall_s / self.workers

    @property
    def floor_rate(self) -> float:
        return self.run.frames / self.floor.total


def main() -> int:
    """Measure, print the tables, and return 1 if a bound is broken."""
    options = _parse()
    for name, value in environment().items():
        print(f"- {name}: {value}")
    with tempfile.TemporaryDirectory(prefix="liax-preprocess-") as scratch:
        rows = _measure_all(options, (options.scratch or Path(scratch)).absolute())
    _print_stages(rows)
    for group in dict.fromkeys(row.group for row in rows):
        one, *more = [row for row in rows if row.group == group]
        for row in more:
            scaling = row.rate * row.workers / (one.rate * one.workers)
            print(f"{group}: {row.workers} workers do {scaling:.2f} times the work of {one.workers}")
        print(f"{group}: {CORPUS_FRAMES:,} frames cost {CORPUS_FRAMES / [one, *more][-1].rate / 3600:,.0f} core-hours")
    checks = [check for row in rows if row.workers == BOUND_WORKERS for check in _checks(row)]
    for what, value, bound in checks:
        print(f"{'held' if value >= bound else 'BROKEN'}: {what} {value:.2f}, at least {bound}")
    checked = {what for what, _, _ in checks}
    for what in (f"{group}: {measure}" for group in RATE_BOUNDS for measure in (SHARE, RATE)):
        if what not in checked:
            print(f"not checked: {what}")
    without = [] if options.videos else _without_clips(rows)
    for row, uri in without:
        print(f"BROKEN: {row.group}, workers {row.workers}: {uri} gave no clip")
    return int(any(value < bound for _, value, bound in checks) or bool(without))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, metavar="DIR", help="measure on these (default: makes its own)")
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=GROUPS, help="of its own videos")
    parser.add_argument("--count", type=int, default=6, help="of its own videos, in each group (default: 6)")
    parser.add_argument("--seconds", type=float, default=36.0, help="length of each (default: 36)")
    parser.add_argument("--workers", type=int, nargs="+", default=WORKERS, help="default: 1 2")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where to keep what is made (default: nowhere)")
    parser.add_argument("overrides", nargs="*", metavar="section.field=value", help="of the preprocessing")
    return parser.parse_intermixed_args()


def _measure_all(options: argparse.Namespace, scratch: Path) -> list[Row]:
    if options.videos:
        groups = {str(options.videos): options.videos}
    else:
        groups = {name: make_videos(scratch, name, options.count, options.seconds) for name in options.groups}
    short = {workers: make_videos(scratch, "512px", workers, START_S) for workers in options.workers}
    starts = {workers: _run(videos, scratch, workers, options.overrides) for workers, videos in short.items()}
    print("\n| videos | workers | frames | s | whole job | without its start | floor | share of the floor |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for group, videos in groups.items():
        for workers in options.workers:
            run = _run(videos, scratch, workers, options.overrides)
            row = Row(group, workers, run, starts[workers], _floor(run, scratch, workers, options.overrides))
            rows.append(row)
            rates = (f"{rate:.1f}" for rate in (row.whole_rate, row.rate, row.floor_rate))
            cells = (group, workers, run.frames, f"{run.wall_s:.1f}", *rates, f"{row.rate / row.floor_rate:.2f}")
            print("|", " | ".join(map(str, cells)), "|", flush=True)
    return rows


def _run(videos: Path, scratch: Path, workers: int, overrides: Sequence[str]) -> Measured:
    """Run the job as a user does, on as many cores as it has workers."""
    output = scratch / "shards"
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-m", "jobs.preprocess", *overrides, f"input={videos}", f"output={output}"]
    _answer(_start(_cores(workers), [*command, f"workers={workers}"]))
    seconds = json.loads((output / "summary.json").read_text())["seconds"]
    clips: dict[str, list[SampleInfo]] = {}
    for file in sorted((output / "work" / "done").glob("*.json")):
        record = SegmentRecord.model_validate_json(file.read_text())
        clips.setdefault(record.segment.source.uri, []).extend(record.clips)
    frames = sum(len(frame_table(uri)[0]) for uri in clips)
    return Measured(frames=frames, wall_s=seconds.pop("wall"), stages_s=seconds, clips=clips)


def _floor(run: Measured, scratch: Path, workers: int, overrides: Sequence[str]) -> FloorSeconds:
    """Time the bare stages of the same videos and clips, in as many processes as the job had workers."""
    config = load_config(PreprocessConfig, None, ["input=-", "output=-", *overrides])
    by_size = sorted(run.clips, key=lambda uri: -Path(uri).stat().st_size)
    processes = []
    for number, core in enumerate(_cores(workers)):
        share = {uri: [clip.model_dump() for clip in run.clips[uri]] for uri in by_size[number::workers]}
        file = scratch / f"floor-{number}.json"
        file.write_text(json.dumps({"config": config.model_dump(), "sources": share}))
        processes.append(_start([core], [sys.executable, "-m", "benchmarks.preprocess_floor", str(file)]))
    spent = [FloorSeconds(**json.loads(_answer(process))) for process in processes]
    return FloorSeconds(*(sum(getattr(one, stage) for one in spent) for stage in asdict(FloorSeconds())))


def _cores(workers: int) -> list[int]:
    """The last cores: a system's own work tends to be on the first."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < workers:
        raise SystemExit(f"{workers} workers need as many cores, and this process may use {len(cores)}")
    return cores[-workers:]


def _start(cores: Sequence[int], command: Sequence[str]) -> subprocess.Popen[str]:
    """A process that, with all that it starts, stays on some cores."""
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    elsewhere = {"MLFLOW_TRACKING_URI", "RAY_ADDRESS"}
    return subprocess.Popen(
        command,
        env={name: value for name, value in os.environ.items() if name not in elsewhere} | one_thread,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )


def _answer(process: subprocess.Popen[str]) -> str:
    said, errors = process.communicate()
    if process.returncode != 0:
        raise SystemExit(f"{process.args!r} failed: {errors[-2000:]}")
    return said.strip().splitlines()[-1]


def _print_stages(rows: Sequence[Row]) -> None:
    """Where the time goes, in ms a source frame: the job's stages, then the floor's."""
    print("\nms a source frame, by stage")
    for row in rows:
        ours = {stage: seconds / row.run.frames * 1000 for stage, seconds in row.run.stages_s.items()}
        floor = {stage: seconds / row.run.frames * 1000 for stage, seconds in asdict(row.floor).items()}
        told = (", ".join(f"{stage} {value:.2f}" for stage, value in one.items()) for one in (ours, floor))
        print(f"- {row.group}, workers {row.workers}: {next(told)}; floor: {next(told)}")
    print()


def _without_clips(rows: Sequence[Row]) -> list[tuple[Row, str]]:
    return [(row, uri) for row in rows for uri, clips in row.run.clips.items() if not clips]


def _checks(row: Row) -> list[tuple[str, float, float]]:
    checks = [(f"{row.group}: {SHARE}", row.rate / row.floor_rate, FLOOR_BOUND)]
    if row.group in RATE_BOUNDS:
        checks.append((f"{row.group}: {RATE}", row.rate, RATE_BOUNDS[row.group]))
    return checks


if __name__ == "__main__":
    sys.exit(main())
