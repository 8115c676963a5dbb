"""What a run needs before its first step: checks of its input and output, networks, data, and where it was."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from liax.data.batch import PairBatch, StepData
from liax.data.dataset import choose_samples
from liax.data.loader import Places, load_steps, open_pairs
from liax.errors import UserError
from liax.inference.precision import choose_dtype
from liax.losses.perceptual import make_perceptual, require_available
from liax.model.discriminator import Discriminator
from liax.model.network import LiaX
from liax.shards import ShardSet
from liax.training.checkpoint import Networks, latest_checkpoint, restore
from liax.training.config import TrainConfig
from liax.training.ema import Ema
from liax.training.engine import PlainTrained, Trained
from liax.training.place import Place
from liax.training.resume import agreed_checkpoint
from liax.training.run_record import read_run
from liax.training.share import Share, divide
from liax.training.validation import Validation, read_validation


def check(config: TrainConfig) -> str:
    """Refuse what cannot work before anything is started, and return the shard set's id.

    Raises:
        UserError: no committed shards, none for training, or of a wrong size; an unknown model; a loss that is not
            available; a GPU that is not here; an output that holds another run.
    """
    size_px = config.model.discriminator().size_px
    for workers in {config.workers, config.least_workers or config.workers}:
        divide(config.batch, workers, config.compute.micro_batch)
    if config.run_on == "process" and config.device == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda needs a GPU, and PyTorch finds none on this machine: set device=cpu")
    shards = ShardSet(config.shards)
    if not choose_samples(shards, "train", size_px):
        raise UserError(f"no clip in {config.shards} is for training: preprocess again with split.val_fraction=0")
    choose_samples(shards, "val", size_px)
    run = read_run(config.output)
    if run is not None and run.identity != config.identity(shards.set_id):
        raise UserError(
            f"{config.output} holds a run with other settings or other shards: "
            "choose another output, or repeat that run's settings to continue it"
        )
    saved = latest_checkpoint(config.output)
    if saved is not None and saved.state.identity != config.identity(shards.set_id):
        raise UserError(f"{saved.url} is of a run with other settings or other shards: choose another output")
    if saved is not None and saved.state.step > config.steps:
        raise UserError(f"{config.output} is at step {saved.state.step} already, past steps={config.steps}")
    require_available(config.loss.perceptual, config.loss.perceptual_weights)  # last: it may fetch half a gigabyte
    return shards.set_id


@dataclass(slots=True)
class Run:
    """A run on one worker, at `step` steps done."""

    networks: Networks
    data: Iterator[StepData]
    validation: Validation | None
    """On the leading worker."""
    shown: PairBatch
    """The pairs of the picture grid, on every worker."""
    perceptual: nn.Module | None
    dtype: torch.dtype
    share: Share
    identity: str
    step: int
    skipped: int
    """Steps that were left out before."""


def start(config: TrainConfig, place: Place) -> Run:
    """Make networks and data, as they were at the latest checkpoint if there is one. Every worker calls it."""
    torch.set_num_threads(config.cpus_per_worker)
    # NVIDIA's GPUs would round float32 convolutions to 10 bits, R1's and the losses' among them.
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True  # all pictures have one size
    shards = ShardSet(config.shards)
    share = divide(config.batch, place.world_size, config.compute.micro_batch)
    networks = make_networks(config, place, share)
    saved, step, skipped = agreed_checkpoint(config.output, place), 0, 0
    if saved is not None:
        restore(networks, saved, place.rank)
        step, skipped = saved.state.step, saved.state.skipped
    size_px = config.model.generator().size_px
    validation = _validation(config, shards, size_px, place)
    return Run(
        networks=networks,
        data=_data(config, shards, place, share, step),
        validation=validation if place.leads else None,
        shown=validation.batch(0, config.tracking.pictures, place.device),
        perceptual=make_perceptual(config.loss, place.device),
        dtype=choose_dtype(config.compute.dtype, str(place.device)),
        share=share,
        identity=config.identity(shards.set_id),
        step=step,
        skipped=skipped,
    )


def make_networks(config: TrainConfig, place: Place, share: Share) -> Networks:
    """Both networks with their engines, the same on every worker, from the run's seed."""
    layout, micro_batches = config.model.generator(), share.micro_batches
    torch.manual_seed(config.seed)
    generator = LiaX(layout).to(place.device)
    discriminator = Discriminator(config.model.discriminator()).to(place.device)
    ema = Ema(generator, config.ema) if place.leads else None
    if config.compute.recompute:
        from liax.training.recompute import recompute_blocks

        recompute_blocks(generator)
    if config.compute.compile:
        generator.compile()
    for_generator, for_discriminator = config.optimizer.generator, config.discriminator_adam()
    trained: tuple[Trained, Trained]
    if config.engine == "deepspeed":
        from liax.training.deepspeed_engine import DeepSpeedTrained, start_deepspeed

        start_deepspeed(place)
        stage = config.zero_stage if config.zero_stage is not None else 1
        trained = (
            DeepSpeedTrained(generator, for_generator, stage, place, share.pairs, micro_batches),
            DeepSpeedTrained(discriminator, for_discriminator, min(stage, 1), place, share.pairs, micro_batches),
        )
    else:
        trained = (
            PlainTrained(generator, for_generator, place, micro_batches, called_directly=True),
            PlainTrained(discriminator, for_discriminator, place, micro_batches, called_directly=False),
        )
    return Networks(trained[0], trained[1], ema)


def _data(config: TrainConfig, shards: ShardSet, place: Place, share: Share, first_step: int) -> Iterator[StepData]:
    """This worker's part of every step."""
    size_px, data = config.model.generator().size_px, config.data
    pairs = open_pairs(shards, data, seed=config.seed, size_px=size_px, batch=config.batch)
    places = Places(config.batch, place.rank, place.world_size, share.micro_batches)
    steps, pin, prefetch_steps = range(first_step, config.steps), place.device.type == "cuda", data.prefetch_steps
    if data.ingest == "ray":
        from liax.training.ray_ingest import free_cores, load_steps_on_ray

        cores = free_cores(place.world_size, config.cpus_per_worker)
        return load_steps_on_ray(pairs, places, steps, cores=cores, prefetch_steps=prefetch_steps, pin=pin)
    return load_steps(pairs, places, steps, processes=data.loader_workers, prefetch_steps=prefetch_steps, pin=pin)


def _validation(config: TrainConfig, shards: ShardSet, size_px: int, place: Place) -> Validation:
    """Of validation clips where there are some. The grid is made by all workers, the rest by the leading one."""
    samples = choose_samples(shards, "val", size_px) or choose_samples(shards, "train", size_px)
    shown, tracking = config.tracking.pictures, config.tracking
    if not place.leads:
        return read_validation(shards, samples, size_px, shown, 0)
    return read_validation(shards, samples, size_px, max(shown, tracking.validation_pairs), tracking.video_frames)
