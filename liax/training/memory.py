"""What a worker of a training holds in memory, in bytes, by engine and ZeRO stage.

Weights, gradients and Adam's state follow from the numbers of parameters; what a step holds beside them comes from
`liax.training.dry_step`, which goes through it.
"""

from dataclasses import dataclass

from liax.training.config import TrainConfig
from liax.training.deepspeed_engine import LIVE_SHARE, MOST_AT_ONCE
from liax.training.dry_step import StepCosts
from liax.training.share import Share

FLOAT_BYTES = 4
PROCESS_BYTES = 750 * 2**20
"""A worker's own on the CPU: Python, PyTorch, Ray and DeepSpeed. Measured, see `CPU_GAPS`."""
CPU_GAPS = 0.25
"""What malloc leaves between maps, and oneDNN's reordered copies of them, as a share of what the step holds. Measured:
with it the estimates are 0.9 to 1.2 times the peaks in `benchmarks/results/train-step-cpu.md`."""
LOADER_BYTES = 400 * 2**20
"""The same of a process that decodes."""
GPU_BYTES = 3 * 2**29
"""CUDA's context and the workspaces of cuBLAS and cuDNN. Our allowance: it differs from card to card."""


@dataclass(frozen=True, slots=True)
class States:
    """What a worker keeps of one network all the time, in bytes."""

    weights: int
    """With the master copy of its part that DeepSpeed makes from stage 1 on, of float32 weights too."""
    gradients: int
    adam: int
    """Two numbers a weight."""
    update: int
    """What an update needs beside them, when the step's maps are gone."""

    @property
    def total(self) -> int:
        """All the time."""
        return self.weights + self.gradients + self.adam


@dataclass(frozen=True, slots=True)
class WorkerMemory:
    """What one worker holds at its fullest, in bytes."""

    generator: States
    discriminator: States
    average: int
    """The generator's running average; the leading worker's alone."""
    work: int
    """The largest of Gmain, Dmain, Dr1 and the update."""
    buffers: int
    """Pictures, constants, the perceptual network, DeepSpeed's buckets, the process itself."""
    saving: int
    """The copy of which a checkpoint is written; the leading worker's, where it computes on the CPU."""

    @property
    def total(self) -> int:
        """Of the leading worker."""
        return self.follower + self.average + self.saving

    @property
    def follower(self) -> int:
        """Of any other worker."""
        return self.generator.total + self.discriminator.total + self.work + self.buffers


def states_of(parameters: int, zero_stage: int | None, workers: int) -> States:
    """What is kept of a network, in float32.

    Stages as in ZeRO (Rajbhandari et al. 2020, figure 1): 1 shares out Adam's state, 2 gradients too, 3 weights too.

    Args:
        parameters: of the network.
        zero_stage: of DeepSpeed; None for the plain engine.
        workers: that share.
    """
    whole = FLOAT_BYTES * parameters
    part = -(-whole // workers)
    if zero_stage in (None, 0):
        return States(whole, whole, 2 * whole, update=whole if workers > 1 else 0)
    return {
        # Beside the gradient in one piece, the root of Adam's mean square.
        1: States(whole + part, whole, 2 * part, update=2 * part),
        2: States(whole + part, part, 2 * part, update=2 * part),
        3: States(2 * part, part, 2 * part, update=part),
    }[zero_stage or 0]


def worker_memory(config: TrainConfig, zero_stage: int | None, costs: StepCosts, share: Share) -> WorkerMemory:
    """What a worker of a run holds, if it were of this stage (None: the plain engine)."""
    stage_of_d = None if zero_stage is None else min(zero_stage, 1)
    generator = states_of(costs.generator_parameters, zero_stage, share.world_size)
    discriminator = states_of(costs.discriminator_parameters, stage_of_d, share.world_size)
    networks = (costs.generator_parameters, costs.discriminator_parameters)
    buffers = costs.constant_bytes + _picture_bytes(config, share)
    if zero_stage:
        buffers += FLOAT_BYTES * sum(min(parameters, MOST_AT_ONCE) for parameters in networks)
    if zero_stage == 3:
        buffers += 2 * FLOAT_BYTES * costs.generator_parameters // LIVE_SHARE  # in use, and fetched ahead
    update = max(generator.update, discriminator.update)
    work = max(costs.generator_bytes, costs.discriminator_bytes, costs.r1_bytes, update)
    on_cpu = config.device == "cpu"
    if on_cpu:
        buffers += PROCESS_BYTES + config.data.loader_workers * LOADER_BYTES + int(CPU_GAPS * work)
    else:
        buffers += GPU_BYTES
    saving = FLOAT_BYTES * (4 * networks[0] + 3 * networks[1]) if on_cpu and config.checkpoint.in_background else 0
    return WorkerMemory(
        generator=generator,
        discriminator=discriminator,
        average=FLOAT_BYTES * costs.generator_parameters,
        work=work,
        buffers=buffers,
        saving=saving,
    )


def _picture_bytes(config: TrainConfig, share: Share) -> int:
    """A step's pictures: source, driving frame and result; on a CPU also those that are decoded ahead."""
    picture = 3 * config.model.generator().size_px ** 2 * FLOAT_BYTES
    pairs = share.pairs * share.micro_batches
    ahead = config.data.loader_workers * config.data.prefetch_steps if config.device == "cpu" else 0
    return picture * pairs * (3 + 2 * ahead)
