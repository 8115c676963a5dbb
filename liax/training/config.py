"""Everything that decides a training run."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from liax.config import Config, build, config_id
from liax.losses.total import LossConfig
from liax.model.config import DiscriminatorConfig, ModelConfig, preset
from liax.tracking.address import SettingUri


class ModelChoice(Config):
    """Which network is trained."""

    preset: str = "base"
    """Name of the network's layout: tiny, small, base, middle or large."""
    size_px: int | None = None
    """Side of the pictures in pixels, where it is not the preset's."""
    directions: int | None = None
    """Size of the motion dictionary, where it is not the preset's."""
    discriminator_width: float | None = None
    """Width of the discriminator; None for the generator's."""

    def generator(self) -> ModelConfig:
        """The generator's layout. Raises UserError for an unknown preset or size, or too many directions."""
        layout = preset(self.preset, self.size_px)
        if self.directions is None:
            return layout
        return build(ModelConfig, layout.model_dump() | {"directions": self.directions}, "model.directions")

    def discriminator(self) -> DiscriminatorConfig:
        """The discriminator's layout. Raises UserError for a width that it, or the generator, cannot have."""
        generator, width = self.generator(), self.discriminator_width
        layout = {"size_px": generator.size_px, "width": generator.width if width is None else width}
        return build(DiscriminatorConfig, layout, "model.discriminator_width")


class DataConfig(Config):
    """How pairs of frames are chosen and read."""

    least_gap_frames: int = Field(default=5, ge=0)
    """The two frames of a pair are at least so far apart (0.2 s at 25 fps). Our choice: nearer frames teach little."""
    pairs_per_clip: int = Field(default=4, ge=1)
    """Pairs that a clip gives in an epoch, all from one reading of it. Our choice: reading costs more than decoding."""
    flip_share: float = Field(default=0.0, ge=0, le=1)
    """Share of pairs of which both frames are mirrored. Our choice of none: it makes turning left and right alike."""
    shuffle_shards: int = Field(default=8, ge=1)
    """Shards whose clips are mixed with each other; a larger number mixes better and reads less in sequence."""
    ingest: Literal["local", "ray"] = "local"
    """Where pairs are decoded: `local`, by each worker on its machine; `ray`, by Ray Data on all cores of the
    cluster that do not train, for GPU machines with too few of their own. Both give the same pairs in one order."""
    loader_workers: int = Field(default=0, ge=0)
    """Processes of each worker that decode ahead; 0 decodes in the worker itself."""
    prefetch_steps: int = Field(default=2, ge=1)
    """Steps whose pictures each of those processes, or Ray Data, holds ready."""
    cache_bytes: int = Field(default=0, ge=0)
    """Size of the copy of clips that each machine keeps on its disk (useful with s3:// shards); 0 keeps none."""
    cache_folder: str | None = None
    """Where that copy is; None for a folder in the cache of weight files."""


Decay = Annotated[float, Field(ge=0, lt=1)]


class AdamConfig(Config):
    """torch's Adam for one network."""

    lr: float = Field(gt=0)
    """Learning rate."""
    betas: tuple[Decay, Decay]
    """Decay of the mean and of the mean square of gradients."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the root of the mean square (torch's default)."""


class DiscriminatorAdam(AdamConfig):
    """LIA's published settings, before the correction for lazy R1, see `TrainConfig.discriminator_adam`."""

    lr: float = Field(default=2e-3, gt=0)
    """Learning rate."""
    betas: tuple[Decay, Decay] = (0.0, 0.99)
    """Decay of the mean and of the mean square of gradients."""


class GeneratorAdam(AdamConfig):
    """LIA's published settings, with its correction by 4/5 (as StyleGAN2 makes it)."""

    lr: float = Field(default=1.6e-3, gt=0)
    """Learning rate."""
    betas: tuple[Decay, Decay] = (0.0, 0.99 ** (4 / 5))
    """Decay of the mean and of the mean square of gradients."""


class OptimizerConfig(Config):
    """Both networks' optimisers."""

    generator: GeneratorAdam = GeneratorAdam()
    discriminator: DiscriminatorAdam = DiscriminatorAdam()


class EmaConfig(Config):
    """The running average of the generator's weights, which is the model that is registered (StyleGAN3)."""

    half_life_pictures: float = Field(default=20_000, gt=0)
    """A weight counts half after so many pictures."""
    ramp: float = Field(default=0.05, gt=0)
    """The half-life is at most this share of the pictures seen so far, so that a short run's average is not its
    random start."""


class ComputeConfig(Config):
    """How a step is computed. None of it changes what is computed, but for rounding."""

    dtype: Literal["float32", "bfloat16", "auto"] = "float32"
    """Of convolutions, by autocast; weights, losses, codes and flow stay float32. `auto`: bfloat16 where it is fast."""
    micro_batch: int | None = Field(default=None, ge=1)
    """Most pairs that a worker computes at once; the rest of its share of the batch follows and is added up (gradient
    accumulation). None for its whole share."""
    channels_last: bool = True
    """Maps lie in memory with their channels last, as convolutions in bfloat16 want them."""
    recompute: bool = False
    """Keep the inputs of blocks only and compute them again in the backward pass (activation checkpointing)."""
    compile: bool = False
    """Let torch.compile fuse the generator (CUDA); the discriminator is differentiated twice, which it cannot."""


class FaultConfig(Config):
    """What becomes of a step whose loss or gradient is not finite."""

    skipped_in_a_row: int = Field(default=10, ge=1)
    """A bad step is left out; so many in a row end the run."""


class CheckpointConfig(Config):
    """When the state is saved."""

    every_steps: int = Field(default=1000, ge=1)
    """Steps between checkpoints; the last step always makes one."""
    keep: int = Field(default=3, ge=1)
    """How many of the newest are kept, beside the one with the best validation."""
    in_background: bool = True
    """Write while training goes on; the next checkpoint waits for the one before."""


class TrackingConfig(Config):
    """What is recorded on the way."""

    uri: SettingUri | None = None
    """MLflow's address; None for `MLFLOW_TRACKING_URI`, else a SQLite file here; `none` records to files only."""
    experiment: str = "liax"
    """Name of the MLflow experiment."""
    every_steps: int = Field(default=10, ge=1)
    """Steps between writings of the record file, which has the numbers of every step."""
    pictures_every_steps: int = Field(default=1000, ge=1)
    """Steps between picture grids and validation; the last step always makes one."""
    pictures: int = Field(default=4, ge=1)
    """Pairs in a grid."""
    validation_pairs: int = Field(default=64, ge=1)
    """Pairs that the validation's numbers are means over: first frame to later frame, clips in turn."""
    video_frames: int = Field(default=50, ge=0)
    """Frames of the video that shows one validation clip; 0 makes none."""


class TrainConfig(Config):
    """A training run."""

    shards: str
    """Shard set to learn from: a folder or s3:// prefix that the preprocessing wrote."""
    output: str
    """Folder or s3:// prefix for checkpoints and records. The same command again continues the run in it."""
    run_on: Literal["ray", "torchrun", "process"] = "ray"
    """`ray`: workers of Ray Train; `torchrun`: the processes that torchrun started; `process`: this process alone,
    which needs PyTorch only."""
    workers: int = Field(default=1, ge=1)
    """Number of training processes."""
    least_workers: int | None = Field(default=None, ge=1)
    """Train on with so few while the cluster has no more (elastic training on Ray); None for `workers`."""
    cpus_per_worker: int = Field(default=1, ge=1)
    """CPU cores, and threads of PyTorch, of each."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where each worker computes; `cuda` takes one GPU each."""
    engine: Literal["plain", "deepspeed"] = "plain"
    """What averages gradients and keeps the optimiser's state."""
    zero_stage: Literal[0, 1, 2, 3] | None = None
    """DeepSpeed's stage for the generator; None for 1. The discriminator's is this, at most 1."""
    max_failures: int = Field(default=3, ge=0)
    """How often all workers start again from the latest checkpoint (`run_on=ray`) after one died, without a new
    checkpoint in between: each new one sets the count to nothing, so that a long run on machines that come and go does
    not end. A machine whose taking was told beforehand does not count."""
    seed: int = Field(default=0, ge=0)
    """Of the networks' first weights and the order of data."""
    batch: int = Field(default=64, ge=1)
    """Pairs of a step, all workers together (LIA)."""
    steps: int = Field(default=800_000, ge=1)
    """Length of the run (LIA: 800 k steps of 64 pairs)."""
    model: ModelChoice = ModelChoice()
    data: DataConfig = DataConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    ema: EmaConfig = EmaConfig()
    compute: ComputeConfig = ComputeConfig()
    faults: FaultConfig = FaultConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    tracking: TrackingConfig = TrackingConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.batch % self.workers:
            raise ValueError(f"batch={self.batch} cannot be divided among workers={self.workers}")
        if self.least_workers is not None and not self.least_workers <= self.workers:
            raise ValueError(f"least_workers={self.least_workers} is more than workers={self.workers}")
        if self.engine == "plain" and self.zero_stage is not None:
            raise ValueError("zero_stage needs engine=deepspeed")
        if self.run_on == "process" and (self.workers > 1 or self.engine == "deepspeed"):
            raise ValueError("run_on=process is one worker of the plain engine: use run_on=ray")
        if self.run_on != "ray" and self.least_workers is not None:
            raise ValueError("least_workers needs run_on=ray")
        if self.data.ingest == "ray":
            self._check_ray_ingest()
        return self

    def _check_ray_ingest(self) -> None:
        if self.run_on != "ray":
            raise ValueError("data.ingest=ray needs run_on=ray")
        if self.data.loader_workers:
            raise ValueError("data.loader_workers decode for data.ingest=local: set data.loader_workers=0")
        if self.least_workers not in (None, self.workers):
            # Ray Train would start as many workers as have room, and leave nobody to decode for them.
            raise ValueError("data.ingest=ray needs a fixed number of workers: leave least_workers out")

    def discriminator_adam(self) -> AdamConfig:
        """The discriminator's optimiser, corrected where lazy R1 adds updates (StyleGAN2, appendix B)."""
        plain, every = self.optimizer.discriminator, self.loss.r1_every
        if self.loss.r1_gamma == 0:
            return plain
        share = every / (every + 1)
        return AdamConfig(lr=plain.lr * share, betas=(plain.betas[0] ** share, plain.betas[1] ** share), eps=plain.eps)

    def identity(self, set_id: str) -> str:
        """Names what is computed, whoever computes it and however long: runs of one identity continue each other."""
        decisive = ("seed", "batch", "model", "data", "loss", "optimizer", "ema")
        values = self.model_dump(mode="json", include=set(decisive))
        for name in ("ingest", "loader_workers", "prefetch_steps", "cache_bytes", "cache_folder"):
            values["data"].pop(name)
        values["loss"].pop("perceptual_weights")  # where the file is, not what is in it
        if values["model"]["directions"] is None:  # runs that began before there was this setting go on
            values["model"].pop("directions")
        return config_id({**values, "set_id": set_id})
