"""The training loop, on one worker of one or many. Plain PyTorch: needs neither Ray, DeepSpeed nor MLflow."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import torch

from liax import storage
from liax.errors import JobError, LiaxError
from liax.model.dictionary import least_of_r
from liax.model.network import LiaX
from liax.progress import say
from liax.training.checkpoint_writer import CheckpointWriter
from liax.training.clock import Clock
from liax.training.config import TrainConfig
from liax.training.ema import update_average
from liax.training.faults import Faults
from liax.training.place import Place
from liax.training.preview import preview
from liax.training.records import Numbers, Records
from liax.training.run import Run, start
from liax.training.speed import Speed
from liax.training.step import Objective, gan_step, phases
from liax.training.summary import write_summary
from liax.training.system import system_numbers
from liax.training.validation import validate, validation_video


class Preempted(JobError):  # noqa: N818 - a notice that was heeded, no fault
    """The machine is about to be taken away; the state was saved, and the run goes on elsewhere."""


@contextmanager
def _memory_told() -> Iterator[None]:
    """Say what helps where a GPU's memory is too small."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise JobError(
            "a GPU's memory is too small: lower compute.micro_batch, set compute.recompute=true, or divide the state "
            "(engine=deepspeed zero_stage=2); --plan prints what each takes"
        ) from None


@_memory_told()
def train(
    config: TrainConfig,
    place: Place,
    show: Callable[[int, Numbers], None],
    notice: Callable[[], bool] = lambda: False,
) -> None:
    """Train from the latest checkpoint, or from the start, to the last step.

    Args:
        config: see `liax.training.run.check`, which has been called before.
        place: of this worker.
        show: called on the leading worker with the steps done and the step's numbers.
        notice: whether this worker is about to be taken away. If any worker's is, all save the state and leave.

    Raises:
        JobError: too many steps in a row were not finite, or a GPU's memory is too small.
        Preempted: a worker had notice.
        StorageError: checkpoints could not be written.
    """
    clock = Clock()
    with clock.time("start"):
        run = start(config, place)
        records = Records(config.output, run.step, config.tracking.every_steps) if place.leads else None
        faults = Faults(config.faults.skipped_in_a_row, config.output, place, run.skipped)
        speed = Speed(config, place)
    with records or nullcontext(), CheckpointWriter(config, place, run.identity) as checkpoints:
        while run.step < config.steps:
            numbers = one_step(run, config, place, faults, clock)
            leave = place.any(notice())
            if due(run.step, config.tracking.pictures_every_steps, config.steps):
                with clock.time("pictures"):
                    numbers |= look(run, config, place)
            speed.step(adversarial=phases(run.step - 1, config.loss).adversarial)
            if due(run.step, config.tracking.every_steps, config.steps):
                numbers |= speed.numbers() | state_numbers(run, config)
            if records is not None:
                if due(run.step, config.tracking.every_steps, config.steps):
                    numbers |= system_numbers(config.output)
                records.add(run.step, numbers)
                show(run.step, numbers)
            if leave or due(run.step, config.checkpoint.every_steps, config.steps):
                with clock.time("checkpoint"):
                    score = numbers.get("val/l1")
                    if records is None:
                        checkpoints.save(run.networks, run.step, score, faults.skipped)
                    else:
                        # Numbers first: a run that continues here does not do these steps again.
                        checkpoints.save(run.networks, run.step, score, faults.skipped, before=records.flush)
                        records.begin_next(run.step)
            if leave:
                break
    if run.step < config.steps:
        raise Preempted(f"left at step {run.step}, because a machine is about to be taken away; the state is saved")
    if place.leads:
        write_summary(config, clock.seconds())


def one_step(run: Run, config: TrainConfig, place: Place, faults: Faults, clock: Clock) -> Numbers:
    """Read a step's pairs and train on them; returns the means of all workers' terms."""
    started_s = time.monotonic()
    with clock.time("data"):
        data = next(run.data)
    waited_s = time.monotonic() - started_s
    with clock.time("step"):
        networks = run.networks
        order = torch.channels_last if config.compute.channels_last else torch.contiguous_format
        micro_batches = [pictures.to_model(place.device, order) for pictures in data.micro_batches]
        objective = Objective(config.loss, run.step, run.perceptual, run.dtype)
        now = phases(run.step, config.loss)
        terms, good = gan_step(networks.generator, networks.discriminator, micro_batches, objective, now)
        own = {"data/wait_s": waited_s, "data/unreadable": float(data.unreadable)}
        numbers = place.mean(terms | {name: torch.tensor(value) for name, value in own.items()})
        run.step += 1
        faults.step(run.step, good, micro_batches, numbers)
        if math.isfinite(numbers["gradient/generator"]):  # then the generator moved, whatever came after it
            update_average(networks.ema, networks.generator, config.batch, run.step * config.batch)
    return numbers | {"data/unreadable": numbers["data/unreadable"] * place.world_size, "skipped": float(not good)}


def due(step: int, every_steps: int, last_step: int) -> bool:
    """Whether something periodic is to be done after this step; always after the last."""
    return step % every_steps == 0 or step == last_step


@torch.no_grad()
def look(run: Run, config: TrainConfig, place: Place) -> Numbers:
    """Write `pictures/<step>.png` and `videos/<step>.mp4`, and return the validation's numbers, on the leading worker.

    Every worker calls it, because a network in parts is whole only where all take part.
    """
    generator, ema = run.networks.generator, run.networks.ema
    current_BCHW = generator(run.shown["source"], run.shown["driving"])[0]
    if ema is None or run.validation is None:
        return {}
    try:
        picture = preview(current_BCHW, ema.model, run.shown)
        storage.write_bytes(storage.join(config.output, "pictures", f"{run.step:08d}.png"), picture)
        if run.validation.clip:
            video = validation_video(ema.model, run.validation, place.device)
            storage.write_bytes(storage.join(config.output, "videos", f"{run.step:08d}.mp4"), video)
    except LiaxError as error:
        say(f"the pictures of step {run.step} could not be written, and training goes on: {error}")
    return validate(ema.model, run.validation, place.device)


def state_numbers(run: Run, config: TrainConfig) -> Numbers:
    """Learning rates, and how near the dictionary is to losing a direction: min |R_ii| of its QR factorisation.

    Every worker calls it, because a network in parts is whole only where all take part.
    """
    generator = run.networks.generator
    assert isinstance(generator.module, LiaX)
    weight = generator.module.directions.weight
    with generator.gathered([weight]):
        least_r = least_of_r(weight)
    return {
        "lr/generator": config.optimizer.generator.lr,
        "lr/discriminator": config.discriminator_adam().lr,
        "dictionary/least_r": least_r,
    }
