"""What a run needs before its first step: checks of its input and output, networks, data, and where it was."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.utils.data import default_collate

from liax import storage
from liax.config import Config, build
from liax.data.dataset import PairBatch, PairDataset, choose_samples
from liax.data.loader import StepSampler, batches
from liax.data.order import PairOrder
from liax.errors import UserError
from liax.losses.perceptual import require_available
from liax.model.discriminator import Discriminator, DiscriminatorConfig
from liax.model.network import LiaX
from liax.shards import ShardSet
from liax.training.checkpoint import Networks, latest_checkpoint, restore
from liax.training.config import TrainConfig
from liax.training.ema import Ema
from liax.training.engine import PlainTrained, Trained
from liax.training.place import Place

VALIDATION_SEED = 1
"""Of the pairs in the picture grids, which are the same in every run on a shard set."""


class RunRecord(Config):
    """`<output>/run.json`: whose output it is."""

    identity: str
    """`TrainConfig.identity`."""
    set_id: str
    """Of the shard set."""
    tracking_uri: str | None = None
    """MLflow's address, if the run is tracked."""
    mlflow_run_id: str | None = None
    """The MLflow run, if there is one."""


def check(config: TrainConfig) -> str:
    """Refuse what cannot work before anything is started, and return the shard set's id.

    Raises:
        UserError: no committed shards, none for training, or of a wrong size; an unknown model; a loss that is not
            available; a GPU that is not here; an output that holds another run.
    """
    require_available(config.loss.perceptual)
    size_px = discriminator_layout(config).size_px
    if config.run_on == "process" and config.device == "cuda" and not torch.cuda.is_available():
        raise UserError("device=cuda needs a GPU, and PyTorch finds none on this machine: set device=cpu")
    shards = ShardSet(config.shards)
    if not choose_samples(shards, "train", size_px):
        raise UserError(f"no clip in {config.shards} is for training: preprocess again with split.val_fraction=0")
    run = read_run(config.output)
    if run is not None and run.identity != config.identity(shards.set_id):
        raise UserError(
            f"{config.output} holds a run with other settings or other shards: "
            "choose another output, or repeat that run's settings to continue it"
        )
    saved = latest_checkpoint(config.output)
    if saved is not None and saved.state.step > config.steps:
        raise UserError(f"{config.output} is at step {saved.state.step} already, past steps={config.steps}")
    return shards.set_id


def read_run(output: str) -> RunRecord | None:
    """Whose output it is; None if nobody's yet."""
    url = storage.join(output, "run.json")
    return build(RunRecord, json.loads(storage.read_bytes(url)), url) if storage.exists(url) else None


def write_run(output: str, run: RunRecord) -> None:
    """Mark an output as this run's."""
    storage.write_bytes(storage.join(output, "run.json"), run.model_dump_json(indent=1).encode())


@dataclass(slots=True)
class Run:
    """A run on one worker, at `step` steps done."""

    networks: Networks
    data: Iterator[PairBatch]
    validation: PairBatch
    identity: str
    step: int


def start(config: TrainConfig, place: Place) -> Run:
    """Make networks and data, as they were at the latest checkpoint if there is one."""
    torch.set_num_threads(config.cpus_per_worker)
    shards = ShardSet(config.shards)
    networks = make_networks(config, place)
    saved, step = latest_checkpoint(config.output), 0
    if saved is not None:
        restore(networks, saved)
        step = saved.state.step
    size_px = config.model.generator().size_px
    training = choose_samples(shards, "train", size_px)
    order = PairOrder([ref.sample.frames for ref in training], config.seed, config.data.least_gap_frames)
    dataset = PairDataset(shards, training, order, size_px)
    sampler = StepSampler(range(step, config.steps), config.batch, place.rank, place.world_size)
    loaded = batches(dataset, sampler, config.data.loader_workers)
    return Run(
        networks,
        (_to_device(batch, place.device) for batch in loaded),
        _to_device(_validation_pairs(config, shards, size_px), place.device),
        config.identity(shards.set_id),
        step,
    )


def discriminator_layout(config: TrainConfig) -> DiscriminatorConfig:
    """The discriminator's layout. Raises UserError for a width that it, or the generator, cannot have."""
    generator, width = config.model.generator(), config.model.discriminator_width
    layout = {"size_px": generator.size_px, "width": generator.width if width is None else width}
    return build(DiscriminatorConfig, layout, "model.discriminator_width")


def make_networks(config: TrainConfig, place: Place) -> Networks:
    """Both networks with their engines, the same on every worker, from the run's seed."""
    layout = config.model.generator()
    torch.manual_seed(config.seed)
    generator = LiaX(layout).to(place.device)
    discriminator = Discriminator(discriminator_layout(config)).to(place.device)
    ema = Ema(generator, config.ema) if place.leads else None
    trained: tuple[Trained, Trained]
    if config.engine == "deepspeed":
        from liax.training.deepspeed_engine import DeepSpeedTrained, start_deepspeed

        start_deepspeed(place)
        stage, local_batch = config.zero_stage if config.zero_stage is not None else 1, config.batch // place.world_size
        trained = (
            DeepSpeedTrained(generator, config.optimizer.generator, stage, local_batch),
            DeepSpeedTrained(discriminator, config.discriminator_adam(), min(stage, 1), local_batch),
        )
    else:
        trained = (
            PlainTrained(generator, config.optimizer.generator, place),
            PlainTrained(discriminator, config.discriminator_adam(), place),
        )
    return Networks(trained[0], trained[1], ema)


def _validation_pairs(config: TrainConfig, shards: ShardSet, size_px: int) -> PairBatch:
    """A few fixed pairs, of validation clips where there are some."""
    samples = choose_samples(shards, "val", size_px) or choose_samples(shards, "train", size_px)
    order = PairOrder([ref.sample.frames for ref in samples], VALIDATION_SEED, config.data.least_gap_frames)
    dataset = PairDataset(shards, samples, order, size_px)
    pairs: PairBatch = default_collate([dataset[position] for position in range(config.tracking.pictures)])
    return pairs


def _to_device(batch: PairBatch, device: torch.device) -> PairBatch:
    return PairBatch(source=batch["source"].to(device), driving=batch["driving"].to(device))
