"""The training loop, on one worker of one or many. Plain PyTorch: needs neither Ray, DeepSpeed nor MLflow."""

import json
import math
from collections.abc import Callable

from liax import storage
from liax.errors import JobError
from liax.model.network import LiaX
from liax.training.checkpoint import save_checkpoint
from liax.training.clock import Clock
from liax.training.config import TrainConfig
from liax.training.place import Place
from liax.training.preview import preview
from liax.training.records import Numbers, Records, read_records
from liax.training.run import Run, start
from liax.training.step import gan_step, phases

SUMMARY_FILE = "summary.json"
MEAN_OF_STEPS = 10
"""The summary's first and last losses are means of so many steps, because single ones scatter."""


def train(config: TrainConfig, place: Place, show: Callable[[int, Numbers], None]) -> None:
    """Train from the latest checkpoint, or from the start, to the last step.

    Args:
        config: see `liax.training.run.check`, which has been called before.
        place: of this worker.
        show: called on the leading worker with the steps done and the step's numbers.

    Raises:
        JobError: a loss is not finite.
    """
    clock = Clock()
    with clock.time("start"):
        run = start(config, place)
        records = Records(config.output, run.step, config.tracking.every_steps)
    while run.step < config.steps:
        with clock.time("data"):
            batch = next(run.data)
        with clock.time("step"):
            networks, now = run.networks, phases(run.step, config.loss)
            numbers = place.mean(gan_step(networks.generator, networks.discriminator, batch, config.loss, now))
            run.step += 1
            require_finite(numbers, run.step)
            if networks.ema is not None:
                networks.ema.update(networks.generator.module, config.batch, run.step * config.batch)
        if due(run.step, config.tracking.pictures_every_steps, config.steps):
            with clock.time("pictures"):
                numbers |= write_preview(run, config)
        if place.leads:
            records.add(run.step, numbers)
            show(run.step, numbers)
        if due(run.step, config.checkpoint.every_steps, config.steps):
            with clock.time("checkpoint"):
                if place.leads:
                    records.flush()  # first: a run that continues at the checkpoint does not do these steps again
                save_checkpoint(run.networks, run.step, run.identity, config, place)
                if place.leads:
                    records.begin_next(run.step)
    if place.leads:
        write_summary(config, clock.seconds())


def due(step: int, every_steps: int, last_step: int) -> bool:
    """Whether something periodic is to be done after this step; always after the last."""
    return step % every_steps == 0 or step == last_step


def require_finite(numbers: Numbers, step: int) -> None:
    """Raise JobError if a loss is infinite or not a number; the latest checkpoint is from before."""
    wrong = [name for name, value in numbers.items() if not math.isfinite(value)]
    if wrong:
        raise JobError(
            f"training stopped at step {step}: {', '.join(wrong)} not finite; "
            "try a lower optimizer.generator.lr, in a new output"
        )


def write_preview(run: Run, config: TrainConfig) -> Numbers:
    """On the leading worker, write `pictures/<step>.png` and return the validation numbers."""
    if run.networks.ema is None:
        return {}
    current = run.networks.generator.module
    assert isinstance(current, LiaX)
    picture, numbers = preview(current, run.networks.ema.model, run.validation)
    storage.write_bytes(storage.join(config.output, "pictures", f"{run.step:08d}.png"), picture)
    return numbers


def complete_summary(config: TrainConfig) -> None:
    """Write the summary of a finished run whose last process ended before it could; nobody knows its seconds."""
    url = storage.join(config.output, SUMMARY_FILE)
    if not storage.exists(url) or json.loads(storage.read_bytes(url))["steps"] != config.steps:
        write_summary(config, {})


def write_summary(config: TrainConfig, seconds: dict[str, float]) -> None:
    """Write `metrics.jsonl`, every step's numbers in one file, and `summary.json`: losses first and last, seconds."""
    lines = read_records(config.output)
    joined = "".join(json.dumps({"step": step, **numbers}) + "\n" for step, numbers in lines)
    storage.write_bytes(storage.join(config.output, "metrics.jsonl"), joined.encode())
    steps = [numbers for _, numbers in lines if "l1" in numbers]
    summary: dict[str, object] = {"steps": config.steps, "pairs": config.steps * config.batch}
    for name in ("l1", "loss"):
        values = [numbers[name] for numbers in steps]
        first, last = values[:MEAN_OF_STEPS], values[-MEAN_OF_STEPS:]
        summary |= {f"{name}_first": sum(first) / len(first), f"{name}_last": sum(last) / len(last)}
    last_preview = next(numbers for _, numbers in reversed(lines) if "val/l1" in numbers)
    summary |= {name.replace("/", "_"): value for name, value in last_preview.items() if name.startswith("val/")}
    summary["seconds"] = seconds
    storage.write_bytes(storage.join(config.output, SUMMARY_FILE), json.dumps(summary, indent=1).encode())
