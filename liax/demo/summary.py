"""What the demo says at the end, and writes to `summary.json`."""

import json
from pathlib import Path
from typing import Any

from liax import storage
from liax.config import Config
from liax.demo.folder import DemoFolder
from liax.registry.pull import find_version


class DemoSummary(Config):
    """The demo in numbers."""

    videos: int
    videos_by_result: dict[str, int]
    """Every video once: `kept`, or why it gave no clip."""
    clips: int
    clip_s: float
    """Length of all clips together."""
    training_steps: int
    l1_first: float
    """Mean absolute difference between picture and result, in [-1, 1], over the first ten steps."""
    l1_last: float
    """The same over the last ten."""
    model: str
    """URI of the registered model, by its alias."""
    version: str
    """The version that the alias points at."""
    tracking_uri: str
    seconds: dict[str, float]
    """Where the time went: each step of the demo, and `whole`."""
    training_seconds: dict[str, float]
    """Inside training."""

    @property
    def learnt(self) -> bool:
        """Whether the loss fell."""
        return self.l1_last < self.l1_first


def summarise(folder: DemoFolder, model: str, seconds: dict[str, float]) -> DemoSummary:
    """Put the jobs' own summaries together and write `summary.json`; `model` is a `models:/NAME@ALIAS`."""
    shards, training = (_read(path / "summary.json") for path in (folder.shards, folder.training))
    summary = DemoSummary(
        videos=shards["sources"],
        videos_by_result=shards["sources_by_result"],
        clips=shards["clips"],
        clip_s=round(shards["hours"] * 3600, 1),
        training_steps=training["steps"],
        l1_first=training["l1_first"],
        l1_last=training["l1_last"],
        model=model,
        version=find_version(model, folder.tracking_uri),
        tracking_uri=folder.tracking_uri,
        seconds={name: round(value, 1) for name, value in seconds.items()},
        training_seconds=training["seconds"],
    )
    storage.write_bytes(str(folder.summary), summary.model_dump_json(indent=1).encode())
    return summary


def text(summary: DemoSummary, folder: DemoFolder, programs: Path) -> str:
    """The last lines of the demo; `programs` is the folder of this environment's commands."""
    unused = [f"{n} {reason.replace('_', ' ')}" for reason, n in summary.videos_by_result.items() if reason != "kept"]
    kept = summary.videos_by_result.get("kept", 0)
    times = ", ".join(f"{name} {value:.0f} s" for name, value in summary.seconds.items() if name != "whole")
    fell = "fell" if summary.learnt else "DID NOT FALL"
    rows = [
        ("videos", f"{summary.videos} in, {kept} used" + (f"; not used: {', '.join(unused)}" if unused else "")),
        ("clips", f"{summary.clips}, {summary.clip_s:.0f} s"),
        ("loss (L1)", f"{fell} from {summary.l1_first:.3f} to {summary.l1_last:.3f} in {summary.training_steps} steps"),
        ("model", f"{summary.model}, version {summary.version}"),
        ("time", f"{summary.seconds['whole']:.0f} s: {times}"),
        ("", ""),
        ("look at", f"{_near(folder.side_by_side)}   portrait | driving | result"),
        ("", f"{_near(folder.animation)}"),
        ("", f"{_near(folder.report)}   what became of every video"),
        ("", f"{_near(folder.contact_sheet)}"),
        ("", f"{_near(folder.summary)}"),
        ("runs", f"{_near(programs / 'mlflow')} ui --backend-store-uri {summary.tracking_uri}"),
        ("", "then open http://127.0.0.1:5000"),
        ("use it", f"{_near(programs / 'liax')} animate -s FACE.jpg -d VIDEO.mp4 -o OUT.mp4 \\"),
        ("", f"  --model {summary.model} --tracking-uri {summary.tracking_uri}"),
    ]
    return "\n".join(f"  {name:<10} {value}".rstrip() for name, value in rows)


def _near(path: Path) -> str:
    """The path as seen from the working folder, where it is below it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text())
    return values
