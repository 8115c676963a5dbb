"""One row of `benchmarks/train_step.py`, in a process of its own: its memory is the row's, and its end frees all of it.

    .venv/bin/python -m benchmarks.train_row '{"overrides": ["model.preset=tiny"], "plain": false, "runs": 2}'

Prints one line of JSON. It needs PyTorch and the light dependencies, and DeepSpeed only for a row of its engine.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed

from benchmarks.plain import plainly
from liax.config import load_config
from liax.data.batch import PairBatch
from liax.losses.perceptual import make_perceptual
from liax.model.config import DiscriminatorConfig
from liax.model.discriminator import Discriminator
from liax.model.network import LiaX
from liax.training.config import TrainConfig
from liax.training.dry_step import dtype_of
from liax.training.ema import Ema, update_average
from liax.training.engine import PlainTrained, Trained
from liax.training.place import Place, alone
from liax.training.recompute import recompute_blocks
from liax.training.share import Share, divide
from liax.training.step import Objective, Phases, gan_step


def main() -> None:
    """Measure the row that the argument describes."""
    row = json.loads(sys.argv[1])
    config = load_config(TrainConfig, None, ["shards=none", "output=none", *row["overrides"]])
    print(json.dumps(measure(config, plain=row["plain"], runs=row["runs"])))


def measure(config: TrainConfig, *, plain: bool, runs: int) -> dict[str, Any]:
    """Take steps on random pictures, without data, records and checkpoints.

    Args:
        config: of the run; one worker's.
        plain: whether the generator computes as in `benchmarks/plain.py`.
        runs: of each kind of step, after one that does not count.

    Returns:
        `usual_s` and `r1_s`, seconds of each step; `peak_bytes` of the process (CPU) or of tensors (GPU).
    """
    torch.set_num_threads(config.cpus_per_worker)
    place, share = alone(config.device), divide(config.batch, 1, config.compute.micro_batch)
    torch.manual_seed(0)
    network = LiaX(config.model.generator())
    if plain:
        # Without the repetition for one source's many frames: here every frame has a source of its own.
        network.decoder = plainly(network).decoder.decoder  # type: ignore[assignment]
    network = network.to(place.device)
    if config.compute.recompute:
        recompute_blocks(network)
    layout = DiscriminatorConfig(size_px=network.config.size_px, width=network.config.width)
    ema = Ema(network, config.ema)
    generator, discriminator = engines(config, place, share, network, Discriminator(layout).to(place.device))
    objective = Objective(config.loss, perceptual=make_perceptual(config.loss, place.device), dtype=dtype_of(config))
    batches = [_pictures(config, share.pairs, place.device) for _ in range(share.micro_batches)]
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for run in range(1 + runs):
        for r1, times in seconds.items():
            started_s = time.perf_counter()
            _, good = gan_step(generator, discriminator, batches, objective, Phases(adversarial=True, r1=r1))
            update_average(ema, generator, config.batch, (1 + run) * config.batch)
            if place.device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started_s)
            if not good:
                raise SystemExit("a step was not finite, so its time is none of a whole step's")
    return {"usual_s": seconds[False][1:], "r1_s": seconds[True][1:], "peak_bytes": peak_bytes(place.device)}


def engines(
    config: TrainConfig, place: Place, share: Share, network: LiaX, judging: Discriminator
) -> tuple[Trained, Trained]:
    """Both networks in the configured engine, as in a run of one worker."""
    adams, micro_batches = (config.optimizer.generator, config.discriminator_adam()), share.micro_batches
    if config.engine == "plain":
        return (
            PlainTrained(network, adams[0], place, micro_batches, called_directly=True),
            PlainTrained(judging, adams[1], place, micro_batches, called_directly=False),
        )
    from liax.training.deepspeed_engine import DeepSpeedTrained, start_deepspeed

    # DeepSpeed wants to be told by the environment what the process group knows.
    os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    backend = "nccl" if place.device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, store=distributed.HashStore(), rank=0, world_size=1)
    start_deepspeed(place)
    stage = 1 if config.zero_stage is None else config.zero_stage
    return (
        DeepSpeedTrained(network, adams[0], stage, place, share.pairs, micro_batches),
        DeepSpeedTrained(judging, adams[1], min(stage, 1), place, share.pairs, micro_batches),
    )


def peak_bytes(device: torch.device) -> int | None:
    """Most memory that this process had at once, on the GPU that of its tensors; None where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)


def _pictures(config: TrainConfig, pairs: int, device: torch.device) -> PairBatch:
    size_px = config.model.generator().size_px
    order = torch.channels_last if config.compute.channels_last else torch.contiguous_format

    def some() -> Tensor:
        return (torch.rand(pairs, 3, size_px, size_px) * 2 - 1).to(device, memory_format=order)

    return PairBatch(source=some(), driving=some())


if __name__ == "__main__":
    main()
