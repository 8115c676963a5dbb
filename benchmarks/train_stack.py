"""A whole `liax train` for `benchmarks/train_step.py --full-stack`: shards, Ray, DeepSpeed, tracking; and its steps."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from benchmarks.environment import ROOT
from benchmarks.training_shards import write_shards
from liax.training.records import records_after


@dataclass(frozen=True, slots=True)
class WholeRun:
    """What was seen of one run."""

    usual_s: list[float]
    """From step to step."""
    r1_s: list[float]
    """The same where the step has R1."""
    parts_s: dict[str, float]
    """Seconds of the run by part, as its summary says."""


def whole_run(settings: list[str], size_px: int, steps: int, skipped: int, time_limit_s: float) -> WholeRun:
    """Run `liax train` on drawn faces, tracked in a SQLite file.

    Args:
        settings: overrides of its configuration; not shards, output, steps and tracking.
        size_px: of the clips.
        steps: of the run. The last is not counted: validation and a checkpoint follow it.
        skipped: steps at the start that are not counted.
        time_limit_s: of the run.
    """
    with tempfile.TemporaryDirectory(prefix="liax-train-") as scratch:
        shards, output = write_shards(Path(scratch, "shards"), size_px), Path(scratch, "run")
        own = [f"shards={shards}", f"output={output}", f"steps={steps}", "tracking.every_steps=1"]
        own += [f"tracking.uri=sqlite:///{scratch}/mlflow.db", "data.loader_workers=1", "tracking.video_frames=0"]
        command = [sys.executable, "-m", "jobs.train", *settings, *own]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=time_limit_s)
        if done.returncode:
            raise SystemExit(f"the whole stack failed: {done.stderr.strip()[-500:]}")
        usual_s, r1_s = [], []
        for before, record in list(pairwise(records_after(str(output), 0)))[skipped - 1 : -1]:
            (r1_s if "r1" in record.numbers else usual_s).append((record.time_ms - before.time_ms) / 1000)
        return WholeRun(usual_s, r1_s, json.loads((output / "summary.json").read_text())["seconds"])
