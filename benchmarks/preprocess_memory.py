"""Peak memory of each preprocessing worker on an hour of 1080p video, against what the configuration states.

    .venv/bin/python -m benchmarks.preprocess_memory [--seconds 3600] [section.field=value …]

The video is a short one's packets over and over. A worker is a process of Ray with all that it starts (the child that
holds the native code, and its ffmpeg); its memory is the sum of their resident memory, looked at five times a second.
Pages that several of them share are counted several times, so that the sum is never too small.

Exits with 1 if a worker needs more than `work.faces_memory_bytes` or `work.clips_memory_bytes` states. Linux only.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from benchmarks.environment import environment
from benchmarks.preprocess_videos import make_videos, repeat
from liax.config import load_config
from pipelines.config import PreprocessConfig

SHORT_S = 24.0
POLL_S = 0.2
STAGES = {"FindFaces": "faces_memory_bytes", "MakeClips": "clips_memory_bytes"}
"""What the title of a stage's worker holds (Ray names it by the class), and the setting that states its memory."""
OTHERS = "other processes of Ray"


def main() -> int:
    """Measure, print the table, and return 1 if a bound is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="length of the video (default: 3600)")
    parser.add_argument("overrides", nargs="*", metavar="section.field=value", help="of the preprocessing")
    options = parser.parse_intermixed_args()
    for name, value in environment().items():
        print(f"- {name}: {value}")
    config = load_config(PreprocessConfig, None, ["input=-", "output=-", *options.overrides])
    with tempfile.TemporaryDirectory(prefix="liax-memory-") as scratch:
        folder = Path(scratch)
        made = make_videos(folder, "1080p", 1, min(SHORT_S, options.seconds))
        (folder / "long").mkdir()
        repeat(made / "0.mp4", folder / "long" / "long.mp4", options.seconds, min(SHORT_S, options.seconds))
        peaks, seconds = _watched(folder, options.overrides)
        summary = json.loads((folder / "shards" / "summary.json").read_text())
    made_of = f"{summary['source_hours']:.2f} h of video, {summary['segments']} segments, {summary['clips']} clips"
    print(f"\n{made_of}, {seconds:.0f} s\n\n| worker | peak, MiB | stated, MiB | |\n|---|---|---|---|")
    broken = False
    for name, peak_bytes in sorted(peaks.items()):
        stated_bytes = getattr(config.work, STAGES[name]) if name in STAGES else None
        broken |= stated_bytes is not None and peak_bytes > stated_bytes
        verdict = "|" if stated_bytes is None else "| held" if peak_bytes <= stated_bytes else "| BROKEN"
        stated = "" if stated_bytes is None else f"{stated_bytes / 2**20:.0f} "
        print(f"| {name} | {peak_bytes / 2**20:.0f} | {stated}{verdict} |")
    missing = [name for name in STAGES if name not in peaks]
    if missing:
        print(f"BROKEN: no worker called {', '.join(missing)} was seen")
    return int(broken or bool(missing))


def _watched(folder: Path, overrides: list[str]) -> tuple[Mapping[str, int], float]:
    """Run the job; the most that any worker of each stage held at once, in bytes, and how long it took."""
    command = [sys.executable, "-m", "jobs.preprocess", *overrides, f"input={folder / 'long'}"]
    started_s = time.monotonic()
    job = subprocess.Popen(
        [*command, f"output={folder / 'shards'}"],
        env={name: value for name, value in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS")},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "errors").open("wb"),
    )
    peaks: dict[str, int] = defaultdict(int)
    stage_of: dict[int, str] = {}
    while job.poll() is None:
        time.sleep(POLL_S)
        for name, held_bytes in _held(job.pid, stage_of):
            peaks[name] = max(peaks[name], held_bytes)
    if job.returncode != 0:
        raise SystemExit(f"the job failed: {(folder / 'errors').read_text(errors='replace')[-1000:]}")
    return peaks, time.monotonic() - started_s


def _held(job: int, stage_of: dict[int, str]) -> list[tuple[str, int]]:
    """Stage and memory of every worker that a job runs now.

    Args:
        job: the job's process.
        stage_of: stages of the workers seen so far, by process; a worker that waits has lost its title. Updated.
    """
    parents, resident = _processes()
    children: dict[int, list[int]] = defaultdict(list)
    for process, parent in parents.items():
        children[parent].append(process)
    held = []
    for process in _descendants(job, children):
        title = _title(process)
        if title.startswith("ray::"):
            stage = next((name for name in STAGES if name in title), stage_of.get(process, OTHERS))
            stage_of[process] = stage
            family = [process, *_descendants(process, children)]
            held.append((stage, sum(resident.get(member, 0) for member in family)))
    return held


def _descendants(process: int, children: Mapping[int, list[int]]) -> list[int]:
    found = []
    for child in children.get(process, []):
        found += [child, *_descendants(child, children)]
    return found


def _processes() -> tuple[dict[int, int], dict[int, int]]:
    """Parent and resident memory (bytes) of every process."""
    parents, resident = {}, {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = status.read_text(errors="replace").splitlines()
        except OSError:  # it has just ended
            continue
        fields = {name: value.split()[0] for name, _, value in (line.partition(":") for line in lines) if value.split()}
        process = int(status.parent.name)
        parents[process] = int(fields["PPid"])
        resident[process] = 1024 * int(fields.get("VmRSS", 0))
    return parents, resident


def _title(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:  # it has just ended
        return ""


if __name__ == "__main__":
    sys.exit(main())
