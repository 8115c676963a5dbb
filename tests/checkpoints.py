"""For tests of checkpoints: small networks whose weights say of which step they are, and runs that save them."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from liax.model.config import DiscriminatorConfig, ModelConfig, preset
from liax.model.discriminator import Discriminator
from liax.model.network import LiaX
from liax.training.checkpoint import Checkpoint, Networks
from liax.training.checkpoint_writer import CheckpointWriter
from liax.training.config import TrainConfig
from liax.training.ema import Ema
from liax.training.engine import PlainTrained
from liax.training.place import Place, alone

FILES = ["generator", "discriminator", "optimizer_generator", "optimizer_discriminator", "model", "random"]

TINY = preset("tiny").model_copy(update={"width": 1 / 64, "directions": 4})
"""A fifth of a megabyte in all, so that many can be written."""


def configure(output: str | Path, **settings: Any) -> TrainConfig:
    values = {"shards": "x", "output": str(output), "run_on": "process", "batch": 4, "model": {"preset": "tiny"}}
    return TrainConfig.model_validate({**values, "checkpoint": {"keep": 2, **settings}})


def make(seed: int = 0, layout: ModelConfig = TINY, place: Place | None = None) -> Networks:
    place, config = place or alone(), configure("")
    torch.manual_seed(seed)
    generator, discriminator = LiaX(layout), Discriminator(DiscriminatorConfig(size_px=layout.size_px, width=1 / 64))
    return Networks(
        PlainTrained(generator, config.optimizer.generator, place, called_directly=True),
        PlainTrained(discriminator, config.optimizer.discriminator, place, called_directly=False),
        Ema(generator, config.ema) if place.leads else None,
    )


def fill(networks: Networks, value: float) -> None:
    """Give every weight one value, as training would: in place."""
    with torch.no_grad():
        for module in (networks.generator.module, networks.discriminator.module):
            for parameter in module.parameters():
                parameter.fill_(value)


def update(networks: Networks, seed: int) -> None:
    """One update of both networks, with any gradient."""
    torch.manual_seed(seed)
    for trained in networks.trained().values():
        for parameter in trained.module.parameters():
            parameter.grad = torch.randn_like(parameter)
        trained.step()


def write(output: str | Path, scores: list[float | None], **settings: Any) -> None:
    """Save checkpoints of steps 1, 2, … with these scores."""
    networks = make()
    with CheckpointWriter(configure(output, **settings), alone(), "id") as writer:
        for step, score in enumerate(scores, 1):
            fill(networks, step)
            writer.save(networks, step, score)


def value_of(checkpoint: Checkpoint | None) -> float:
    """What all weights of a checkpoint are, if its files are what was written."""
    assert checkpoint is not None
    for name in FILES:
        checkpoint.tensors(name)
    values = torch.cat([t.flatten() for name, t in checkpoint.tensors("discriminator").items() if "weight" in name])
    assert values.unique().numel() == 1
    return values[0].item()


def steps_in(output: str | Path) -> list[int]:
    return sorted(int(folder.name) for folder in Path(output, "checkpoints").iterdir() if folder.is_dir())


@contextmanager
def full_disk() -> Iterator[None]:
    """No file can grow to the size of the networks'; the system says so to the writer as it does of a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
