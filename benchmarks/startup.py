"""How long it takes from a training's command to its first step, and where the time goes.

    .venv/bin/python -m benchmarks.startup [--preset tiny]

Each way to train is run for one step on a small shard set, several times; the quickest run's parts are printed. The
driver's parts are timed by a process that runs `liax train` with its own functions wrapped; the leading worker's are in
the run's `summary.json`. What lies between, Ray Train's start of the workers, is the rest.
"""

import argparse
import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.environment import ROOT, environment

WAYS = {
    "one process": ["run_on=process"],
    "Ray, 1 worker, plain": ["workers=1"],
    "Ray, 2 workers, ZeRO 1": ["workers=2", "engine=deepspeed"],
}
PARTS = (
    "Python and imports",
    "checks: shards, settings",
    "tracking opened",
    "Ray started",
    "training imported, workers started",
    "networks, engine, data opened",
    "first batch",
    "first step",
)
TIME_LIMIT_S = 600.0


def main() -> None:
    """Measure and print the table."""
    if sys.argv[1:2] == ["--one"]:
        sys.exit(_run_wrapped(Path(sys.argv[2]), sys.argv[3:]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--runs", type=int, default=3, help="of each way")
    options = parser.parse_args()
    from benchmarks.training_shards import write_shards
    from liax.model.config import preset

    for name, value in environment().items():
        print(f"- {name}: {value}")
    with tempfile.TemporaryDirectory(prefix="liax-startup-") as scratch:
        shards = write_shards(Path(scratch, "shards"), preset(options.preset).size_px)
        quickest: dict[str, dict[str, float]] = {}
        for run in range(options.runs):
            for number, (way, overrides) in enumerate(WAYS.items()):
                settings = [f"model.preset={options.preset}", f"shards={shards}", "batch=8", "steps=1"]
                settings += ["loss.perceptual=none", f"tracking.uri=sqlite:///{scratch}/mlflow.db", *overrides]
                parts = _seconds(Path(scratch, f"run-{run}-{number}"), settings)
                if way not in quickest or sum(parts.values()) < sum(quickest[way].values()):
                    quickest[way] = parts
    print(f"- preset: {options.preset}, 8 pairs; the quickest of {options.runs} runs each\n")
    print("| seconds | " + " | ".join(quickest) + " |\n" + "|---" * (1 + len(quickest)) + "|")
    for part in PARTS:
        print(f"| {part} | " + " | ".join(f"{parts[part]:.1f}" for parts in quickest.values()) + " |")
    print("| **to the first step** | " + " | ".join(f"{sum(parts.values()):.1f}" for parts in quickest.values()) + " |")


def _seconds(output: Path, settings: list[str]) -> dict[str, float]:
    """The parts of one run's way to its first step."""
    from liax.training.records import records_after

    marks_file = output.with_suffix(".json")
    command = [sys.executable, "-m", "benchmarks.startup", "--one", str(marks_file), *settings, f"output={output}"]
    started_s = time.time()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIME_LIMIT_S)
    if done.returncode:
        raise SystemExit(f"a run failed: {done.stderr.strip()[-500:]}")
    marks: dict[str, float] = json.loads(marks_file.read_text())
    worker = json.loads((output / "summary.json").read_text())["seconds"]
    recorded_s = next(iter(records_after(str(output), 0))).time_ms / 1000
    # The only step is the last one too, so the validation comes between it and its record.
    first_step_s = recorded_s - started_s - worker["pictures"]
    parts = {
        "Python and imports": marks["launched"] - started_s,
        "checks: shards, settings": marks["check"],
        "tracking opened": marks["open_follower"],
        "Ray started": marks.get("session", 0.0),
        "networks, engine, data opened": worker["start"],
        "first batch": worker["data"],
        "first step": worker["step"],
    }
    return parts | {"training imported, workers started": max(first_step_s - sum(parts.values()), 0.0)}


def _run_wrapped(marks_file: Path, settings: list[str]) -> int:
    """Run `liax train` here, and write how long the driver's parts took."""
    from jobs import train
    from liax import ray_session
    from liax.errors import run_main
    from liax.training import launch

    marks = {"launched": time.time()}

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            started_s = time.monotonic()
            result = function(*args, **kwargs)
            marks[name] = time.monotonic() - started_s
            return result

        return call

    def entered(name: str, function: Callable[..., AbstractContextManager[None]]) -> Callable[..., Any]:
        @contextmanager
        def call(*args: Any, **kwargs: Any) -> Iterator[None]:
            started_s = time.monotonic()
            with function(*args, **kwargs):
                marks[name] = time.monotonic() - started_s
                yield

        return call

    launch.check = timed("check", launch.check)
    launch.open_follower = timed("open_follower", launch.open_follower)
    ray_session.session = entered("session", ray_session.session)
    code = run_main(train.run, settings)
    marks_file.write_text(json.dumps(marks))
    return code


if __name__ == "__main__":
    main()
