"""Does it learn, and what does sparsity do? Trains twice from one seed, with the sparsity term and without it.

    .venv/bin/python -m benchmarks.learning --shards runs/faces --output runs/learning --steps 2500

Both models, and showing the source unchanged, are judged on every clip of people that they were not trained on: the
clip's first frame is the source, its other frames drive it (the paper's self-reenactment). Intervals are 95 % bootstrap
intervals over clips. What is written: `table.md`, `curves.png`, `grid.png`.

Repeated, it goes on where it was: trainings continue from their checkpoints. Exits with 1 if a model is not better than
showing the source in every measure.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.environment import ROOT, environment
from liax.data.dataset import choose_samples
from liax.evaluation.codes import code_statistics
from liax.evaluation.pictures import picture_errors
from liax.evaluation.statistics import interval
from liax.model.network import LiaX
from liax.model.weights import load_model
from liax.pictures import to_model
from liax.shards import ShardSet
from liax.tracking.grids import grid_png
from liax.training.checkpoint import open_checkpoint
from liax.training.records import read_records
from liax.training.validation import Clip, read_clip

BETTER = {"l1": -1, "psnr": 1, "ssim": 1}
"""Measures, and whether more of them is better."""
AT_ONCE = 8
GRID_ROWS = 6


@dataclass(frozen=True, slots=True)
class Judged:
    """One contestant on all clips: a value a clip for each measure, and its codes."""

    by_clip: dict[str, NDArray[np.float64]]
    codes: dict[str, float]


def main() -> int:
    """Train, judge, write, and return 1 if a model is no better than its source."""
    options = _parse()
    output = Path(options.output)
    runs = {"sparse": [], "dense": ["loss.sparsity_weight=0"]}
    for name, changes in runs.items():
        _train(options, output / name, changes)
    shards = ShardSet(options.shards)
    models = {name: load_model(open_checkpoint(str(output / name)).url) for name in runs}
    size_px = next(iter(models.values())).config.size_px
    samples = choose_samples(shards, "val", size_px)
    clips = [read_clip(shards, ref, size_px, options.every) for ref in samples]
    judged = {name: judge(model, clips) for name, model in models.items()} | {"copy": judge(None, clips)}
    worse = [
        f"{name} {measure}" for name in runs for measure in BETTER if not beats(judged[name], judged["copy"], measure)
    ]
    text = _report(options, output, judged, len({ref.sample.identity for ref in samples}), clips, worse)
    (output / "table.md").write_text(text)
    (output / "grid.png").write_bytes(grid(models, _shown(options, size_px) or clips))
    draw_curves(output, list(runs))
    print(text)
    return int(bool(worse))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", required=True, help="a shard set with validation clips")
    parser.add_argument("--output", required=True, help="folder for both runs and the comparison")
    parser.add_argument("--config", default="jobs/configs/train_small_128.yaml")
    parser.add_argument("--steps", type=int, required=True, help="of each training")
    parser.add_argument("--every", type=int, default=5, help="judge every so-many-th frame of a clip")
    parser.add_argument("--shown", help="a shard set whose clips fill the grid (default: the validation clips)")
    parser.add_argument("overrides", nargs="*", metavar="section.field=value", help="settings of both trainings")
    return parser.parse_intermixed_args()


def _shown(options: argparse.Namespace, size_px: int) -> list[Clip]:
    """Clips of pictures that may be published, where those that are judged may not."""
    if options.shown is None:
        return []
    shards = ShardSet(options.shown)
    return [read_clip(shards, ref, size_px, options.every) for ref in shards.samples]


def _train(options: argparse.Namespace, output: Path, changes: list[str]) -> None:
    settings = [f"shards={options.shards}", f"output={output}", f"steps={options.steps}", "tracking.uri=none"]
    command = [sys.executable, "-m", "jobs.train", "--config", options.config, *settings, *options.overrides, *changes]
    if subprocess.run(command, check=False, cwd=ROOT).returncode:
        sys.exit("a training failed: see above")


@torch.no_grad()
def judge(model: LiaX | None, clips: list[Clip]) -> Judged:
    """Measure a model, or showing the source where there is none, on clips."""
    means: dict[str, list[float]] = {name: [] for name in BETTER}
    codes = []
    for clip in clips:
        errors: dict[str, list[torch.Tensor]] = {name: [] for name in BETTER}
        source_1CHW = to_model([clip.source])
        for first in range(0, len(clip.driving), AT_ONCE):
            driving_BCHW = to_model(clip.driving[first : first + AT_ONCE])
            sources_BCHW = source_1CHW.expand(len(driving_BCHW), -1, -1, -1)
            result_BCHW = sources_BCHW
            if model is not None:
                result_BCHW, code_BM = model(sources_BCHW, driving_BCHW)
                codes.append(code_BM)
            for name, values in picture_errors(result_BCHW, driving_BCHW).items():
                errors[name].append(values)
        for name, parts in errors.items():
            means[name].append(torch.cat(parts).mean().item())
    by_clip = {name: np.array(values) for name, values in means.items()}
    return Judged(by_clip, code_statistics(torch.cat(codes)) if codes else {})


def beats(one: Judged, other: Judged, measure: str) -> bool:
    """Whether the mean is better."""
    return bool((one.by_clip[measure].mean() - other.by_clip[measure].mean()) * BETTER[measure] > 0)


def _report(
    options: argparse.Namespace,
    output: Path,
    judged: dict[str, Judged],
    people: int,
    clips: list[Clip],
    worse: list[str],
) -> str:
    frames = sum(len(clip.driving) for clip in clips)
    lines = [f"- {name}: {value}" for name, value in environment().items()]
    lines += [f"- validation: {len(clips)} clips of {people} people who are not in training, {frames} frames", ""]
    lines += ["| | L1 | PSNR, dB | SSIM |", "|---|---|---|---|"]
    for name, one in judged.items():
        cells = [f"{v.mean():.4f} ({a:.4f}–{b:.4f})" for v, (a, b) in ((v, interval(v)) for v in one.by_clip.values())]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        "Paired differences to showing the source, over clips:",
        "",
        "| | L1 | PSNR, dB | SSIM |",
        "|---|---|---|---|",
    ]
    for name in ("sparse", "dense"):
        paired = [judged[name].by_clip[measure] - judged["copy"].by_clip[measure] for measure in BETTER]
        cells = [f"{v.mean():+.4f} ({a:+.4f} to {b:+.4f})" for v, (a, b) in ((v, interval(v)) for v in paired)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| codes | sparse | dense |", "|---|---|---|"]
    for name, value in judged["sparse"].codes.items():
        lines.append(f"| {name} | {value:.4f} | {judged['dense'].codes[name]:.4f} |")
    seconds = {
        name: json.loads((output / name / "summary.json").read_text())["seconds"] for name in ("sparse", "dense")
    }
    lines += ["", f"{options.steps} steps each; seconds of the last start: {seconds}"]
    lines += [
        "",
        f"NOT better than the source: {', '.join(worse)}" if worse else "Better than the source in every measure.",
    ]
    return "\n".join(lines) + "\n"


@torch.no_grad()
def grid(models: dict[str, LiaX], clips: list[Clip]) -> bytes:
    """A PNG with a row a clip: source, driving, and each model's result, for the frame in the clip's middle."""
    chosen = clips[:: max(1, len(clips) // GRID_ROWS)][:GRID_ROWS]
    source_BCHW = to_model([clip.source for clip in chosen])
    driving_BCHW = to_model([clip.driving[len(clip.driving) // 2] for clip in chosen])
    results = [model(source_BCHW, driving_BCHW)[0] for model in models.values()]
    return grid_png([source_BCHW, driving_BCHW, *results])


def draw_curves(output: Path, names: list[str]) -> None:
    """`curves.png`: training L1, validation L1 against the copy's, and the codes' sparsity, by pairs seen."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    panels = {"l1": "L1 in training, [-1, 1]", "val/l1": "L1 on held-out people, [0, 1]", "codes/hoyer": "Hoyer"}
    figure, axes = plt.subplots(1, len(panels), figsize=(12, 3.5))
    for axis, (metric, title) in zip(axes, panels.items(), strict=True):
        for name in names:
            points = [(step, numbers) for step, numbers in read_records(str(output / name)) if metric in numbers]
            axis.plot([step for step, _ in points], [numbers[metric] for _, numbers in points], label=name, lw=1)
            if f"{metric}_copy" in points[-1][1]:
                axis.axhline(points[-1][1][f"{metric}_copy"], color="grey", lw=0.8, ls="--", label=None)
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("step")
    axes[0].legend()
    figure.tight_layout()
    figure.savefig(output / "curves.png", dpi=80)


if __name__ == "__main__":
    sys.exit(main())
