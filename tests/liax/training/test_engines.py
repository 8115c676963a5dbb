"""Every engine trains to the same parameters, and goes on from every other's checkpoint."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, multiprocessing

from liax.data.dataset import PairBatch
from liax.losses.total import LossConfig
from liax.training.config import TrainConfig
from liax.training.place import Place
from liax.training.run import make_networks
from liax.training.step import Phases, gan_step

BATCH, STEPS = 8, 3
ENGINES: dict[str, dict[str, Any]] = {
    "plain": {"engine": "plain"},
    "zero0": {"engine": "deepspeed", "zero_stage": 0},
    "zero1": {"engine": "deepspeed", "zero_stage": 1},
    "zero2": {"engine": "deepspeed", "zero_stage": 2},
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each engine made of the same networks and pictures, by engine, number type and number of workers."""
    folder = tmp_path_factory.mktemp("engines")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    multiprocessing.spawn(worker, (2, port, folder), nprocs=2)
    worker(0, 1, 0, folder)
    return {path.stem: torch.load(path, weights_only=True) for path in folder.iterdir()}


@pytest.mark.parametrize("engine", ["zero0", "zero1", "zero2"])
def test_deepspeed_trains_as_plain_pytorch(results: dict[str, dict[str, Any]], engine: str) -> None:
    assert (results[f"{engine}-2"]["trained"] - results["plain-2"]["trained"]).abs().max() < 1e-6


def test_two_workers_train_as_one(results: dict[str, dict[str, Any]]) -> None:
    # In float64, because Adam turns the rounding of a gradient that is nearly zero into a step of full length.
    one, two = results["plain-float64-1"], results["plain-float64-2"]
    assert (one["trained"] - two["trained"]).abs().max() < 1e-9


@pytest.mark.parametrize("engine", list(ENGINES))
def test_every_engine_resumes_bit_for_bit(results: dict[str, dict[str, Any]], engine: str) -> None:
    result = results[f"{engine}-2"]
    assert result["resumed"].equal(result["trained"])
    assert result["updates"] == [STEPS - 1, STEPS]  # before the last step; the discriminator had R1's as well


def worker(rank: int, world_size: int, port: int, folder: Path) -> None:
    """Train with each engine; alone, only what two workers are compared with."""
    torch.set_num_threads(1)
    place = Place(rank, world_size, torch.device("cpu"))
    if world_size > 1:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(world_size)}
        distributed.init_process_group("gloo")
    made = {f"plain-float64-{world_size}": train_twice(place, ENGINES["plain"], torch.float64)}
    if world_size > 1:
        made |= {f"{name}-2": train_twice(place, engine, torch.float32) for name, engine in ENGINES.items()}
        distributed.destroy_process_group()
    if rank == 0:
        for name, result in made.items():
            torch.save(result, folder / f"{name}.pt")


def train_twice(place: Place, engine: dict[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    """Some steps of training, of which the last is taken once more by networks that were loaded before it."""
    config = TrainConfig.model_validate(
        {"shards": "", "output": "", "batch": BATCH, "model": {"preset": "tiny"}, **engine}
    )
    random = torch.Generator().manual_seed(0)
    source, driving = ((torch.rand(BATCH, 3, 64, 64, generator=random) * 2 - 1).to(dtype) for _ in range(2))
    mine = slice(place.rank, None, place.world_size)
    batch = PairBatch(source=source[mine], driving=driving[mine])
    first, second = make_networks(config, place), make_networks(config, place)
    for networks in (first, second) if dtype == torch.float64 else ():
        networks.generator.module.double()
        networks.discriminator.module.double()
    for step in range(STEPS):
        if step == STEPS - 1:
            for old, new in ((first.generator, second.generator), (first.discriminator, second.discriminator)):
                weights = {name: tensor.clone() for name, tensor in old.module.state_dict().items()}
                new.load(weights, {name: tensor.clone() for name, tensor in old.optimizer_state().items()})
        updates = [int(trained.optimizer_state()["updates"]) for trained in (first.generator, first.discriminator)]
        gan_step(first.generator, first.discriminator, batch, LossConfig(), Phases(True, step == 0))
    gan_step(second.generator, second.discriminator, batch, LossConfig(), Phases(True, False))
    return {
        "trained": parameters(first.generator.module, first.discriminator.module),
        "resumed": parameters(second.generator.module, second.discriminator.module),
        "updates": updates,
    }


def parameters(*modules: torch.nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for module in modules for p in module.parameters()])
