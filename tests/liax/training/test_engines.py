"""Every engine trains to the parameters of plain PyTorch, and goes on from every other's state."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor, distributed, multiprocessing
from torch.nn import functional

from liax.data.batch import PairBatch
from liax.losses.total import LossConfig
from liax.model.config import DiscriminatorConfig, ModelConfig
from liax.model.discriminator import Discriminator
from liax.model.network import LiaX
from liax.training.config import AdamConfig
from liax.training.engine import PlainTrained, Trained
from liax.training.place import Place
from liax.training.recompute import recompute_blocks
from liax.training.step import Objective, Phases, discriminator_step, gan_step
from tests.ports import free_port

# All cases are trained before the first test.
pytestmark = [pytest.mark.timeout(1800), pytest.mark.usefixtures("one_thread")]

BATCH, STEPS, R1_STEPS = 16, 4, (1,)
TOLERANCE = 1e-6
ENGINES = ("plain", "zero0", "zero1", "zero2", "zero3")
ADAM = AdamConfig(lr=1e-5, betas=(0, 0.99), eps=2e-3)
"""With β1 = 0 and torch's eps, Adam turns the rounding of a gradient that is nearly zero into a step of full length.
This eps is large against rounding, and well below the longest gradients (0.3): parameters move by up to 4e-5."""
LOSS = LossConfig(sparsity_weight=0.01, sparsity_warmup_steps=0, adversarial_weight=1, r1_gamma=10, r1_every=16)


@dataclass(frozen=True)
class Case:
    engine: str
    workers: int
    accumulation: int
    recompute: bool = False

    @property
    def name(self) -> str:
        return f"{self.engine}-{self.workers}-{self.accumulation}" + ("-recompute" if self.recompute else "")


CASES = [Case(engine, workers, accumulation) for engine in ENGINES for workers in (1, 2) for accumulation in (1, 2)]
CASES += [Case(engine, 2, 2, recompute=True) for engine in ("plain", "zero3")]
THOROUGH = [case for case in CASES if case.workers == case.accumulation == 2 and not case.recompute]
"""Those that are also interrupted, and disturbed by what is not a number."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each case made of the same networks and pictures, by its name."""
    folder = tmp_path_factory.mktemp("engines")
    # Two processes that are each the only worker of their cases, then two that work together.
    multiprocessing.spawn(worker, (1, [free_port(), free_port()], folder), nprocs=2)
    multiprocessing.spawn(worker, (2, [free_port()] * 2, folder), nprocs=2)
    return {path.stem: torch.load(path, weights_only=True) for path in folder.iterdir()}


@pytest.fixture(scope="module")
def expected() -> Tensor:
    return reference()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_engine_trains_as_plain_pytorch(results: dict[str, Any], expected: Tensor, case: Case) -> None:
    assert (results[case.name]["trained"] - expected).abs().max() < TOLERANCE


def test_a_wrong_gradient_would_be_seen(expected: Tensor) -> None:
    assert (reference(r1=False) - expected).abs().max() > 5 * TOLERANCE
    # What becomes of a gradient that is added up over two workers or micro-batches, and not averaged.
    assert (reference(factor=2) - expected).abs().max() > 5 * TOLERANCE


@pytest.mark.parametrize("engine", ["zero0", "zero1", "zero2"])
def test_the_same_layout_gives_the_same_with_any_epsilon(results: dict[str, Any], engine: str) -> None:
    assert (results[f"{engine}-usual"] - results["plain-usual"]).abs().max() < TOLERANCE


@pytest.mark.parametrize("case", THOROUGH, ids=lambda case: case.name)
def test_every_engine_resumes_bit_for_bit(results: dict[str, Any], case: Case) -> None:
    result = results[case.name]
    assert result["resumed"].equal(result["trained"])
    assert result["updates"] == [STEPS, STEPS + len(R1_STEPS)]


def test_a_state_goes_to_other_engines_and_numbers_of_workers(results: dict[str, Any]) -> None:
    alone, together = results["plain-1-1"], results["zero3-2-2"]
    assert (results["zero2-2-from-plain-1"] - alone["trained"]).abs().max() < TOLERANCE
    networks = make(Case("plain", 1, 1), Place(0, 1, torch.device("cpu")))
    load(networks, together["state"])
    step_once(networks, Case("plain", 1, 1), Place(0, 1, torch.device("cpu")), STEPS - 1)
    assert (parameters(networks) - together["trained"]).abs().max() < TOLERANCE


@pytest.mark.parametrize("case", THOROUGH, ids=lambda case: case.name)
def test_what_is_not_finite_moves_nothing(results: dict[str, Any], case: Case) -> None:
    result = results[case.name]
    assert result["norms"].shape == (2, 2)  # each worker's, of the generator and the discriminator
    assert not result["norms"].isfinite().any()
    assert result["unmoved"]
    assert result["after bad"].equal(result["without bad"])


def test_zero3_holds_a_part_and_gathers_it(results: dict[str, Any]) -> None:
    assert results["zero3-2-2"]["held"] < 0.1
    assert results["zero3-2-2"]["gathered"]


@pytest.mark.parametrize("engine", ["zero1", "zero3"])
def test_autocast_reaches_the_network_through_deepspeed(results: dict[str, Any], engine: str) -> None:
    assert results[f"{engine}-2-2"]["dtype"] == "torch.bfloat16"


def reference(*, r1: bool = True, factor: float = 1) -> Tensor:
    """The same steps in plain PyTorch: one process, the whole batch. Wrong ones on request."""
    source, driving = pictures()
    g, d = networks_at_start()
    adam_g, adam_d = (
        torch.optim.Adam(module.parameters(), lr=ADAM.lr, betas=ADAM.betas, eps=ADAM.eps) for module in (g, d)
    )
    for step in range(STEPS):
        result, coefficients = g(source, driving)
        loss = (
            (result - driving).abs().mean() + 0.01 * coefficients.abs().mean() + functional.softplus(-d(result)).mean()
        )
        adam_g.zero_grad()
        (factor * loss).backward()
        adam_g.step()

        loss = functional.softplus(-d(driving)).mean() + functional.softplus(d(result.detach())).mean()
        # Not None, because R1 has no gradient for the last bias: the other engines count an update for it all the same.
        adam_d.zero_grad(set_to_none=False)
        (factor * loss).backward()
        adam_d.step()

        if r1 and step in R1_STEPS:
            real = driving.clone().requires_grad_(True)
            (slope,) = torch.autograd.grad(d(real).sum(), real, create_graph=True)
            adam_d.zero_grad(set_to_none=False)
            (factor * 16 * 10 / 2 * slope.square().sum(dim=(1, 2, 3)).mean()).backward()
            adam_d.step()
    return torch.cat([p.detach().flatten() for module in (g, d) for p in module.state_dict().values()])


def worker(process: int, workers: int, ports: list[int], folder: Path) -> None:
    """Train every case with so many workers; where a case has one, the two processes share the cases."""
    torch.set_num_threads(1)
    rank = process if workers > 1 else 0
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(ports[process]), "LOCAL_RANK": str(rank)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(workers)}
    distributed.init_process_group("gloo", timeout=timedelta(seconds=120))
    from liax.training.deepspeed_engine import start_deepspeed

    place = Place(rank, workers, torch.device("cpu"))
    start_deepspeed(place)
    cases = [case for case in CASES if case.workers == workers]
    for case in cases if workers > 1 else cases[process::2]:
        keep(folder, case.name, place, train(case, place))
    if workers > 1:
        for engine in ("plain", "zero0", "zero1", "zero2"):
            keep(folder, f"{engine}-usual", place, train_as_usual(Case(engine, 2, 1), place))
        networks = make(Case("zero2", 2, 1), place)
        load(networks, torch.load(folder / "plain-1-1.pt", weights_only=True)["state"])
        step_once(networks, Case("zero2", 2, 1), place, STEPS - 1)
        keep(folder, "zero2-2-from-plain-1", place, parameters(networks))
    distributed.destroy_process_group()


def train(case: Case, place: Place) -> dict[str, Any]:
    """The steps, and what else is asked of a case."""
    networks = make(case, place)
    for step in range(STEPS - 1):
        step_once(networks, case, place, step)
    state = [copies(values) for trained in networks for values in (trained.weights(), trained.optimizer_state())]
    step_once(networks, case, place, STEPS - 1)
    result = {"trained": parameters(networks), "state": state}
    if case in THOROUGH:
        result |= disturb(case, place, networks, state)
    return result


def disturb(case: Case, place: Place, networks: list[Trained], state: list[dict[str, Tensor]]) -> dict[str, Any]:
    """Resume a second pair of networks from the state; give the first one pictures that are not numbers."""
    resumed = make(case, place)
    distributed.broadcast_object_list(shared := [state])  # only the leading worker's is whole
    load(resumed, shared[0])
    step_once(resumed, case, place, STEPS - 1)
    result = {"resumed": parameters(resumed)}
    result["updates"] = [int(trained.optimizer_state()["updates"]) for trained in networks]

    before = everything(networks)
    batches = micro_batches(case, place)
    if place.rank == 1:
        batches[0]["driving"][0, 0, 0, 0] = torch.nan
    terms, good = gan_step(networks[0], networks[1], batches, Objective(LOSS), Phases(True, True))
    reals = [batch["driving"] for batch in batches]
    alone = discriminator_step(networks[1], reals, reals, Objective(LOSS))
    mine = torch.stack([terms["gradient/generator"], alone["gradient/discriminator"]])
    distributed.all_gather(norms := [torch.zeros_like(mine) for _ in range(2)], mine)
    unmoved = all(a.equal(b) for a, b in zip(before, everything(networks), strict=True))
    result |= {"norms": torch.stack(norms), "unmoved": unmoved and not good}

    for pair in (networks, resumed):
        step_once(pair, case, place, R1_STEPS[0])
    result |= {"after bad": parameters(networks), "without bad": parameters(resumed)}
    return result | look_inside(networks[0], case, place)


def look_inside(generator: Trained, case: Case, place: Place) -> dict[str, Any]:
    """How much of the network a worker holds, whether it can have all of it, and in which precision it computes."""
    weights = list(generator.module.parameters())
    held = sum(weight.numel() for weight in weights) / sum(p.numel() for p in networks_at_start()[0].parameters())
    whole = generator.weights()
    with generator.gathered(weights):
        gathered = all(weight.equal(whole[name]) for name, weight in generator.module.named_parameters() if place.leads)
    dtypes = []
    layer = cast("LiaX", generator.module).encoder.blocks[0]
    layer.register_forward_hook(lambda module, inputs, output: dtypes.append(output.dtype))
    pairs = micro_batches(case, place)[0]
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        generator(pairs["source"], pairs["driving"])
    return {"held": held, "gathered": gathered, "dtype": str(dtypes[0])}


def train_as_usual(case: Case, place: Place) -> Tensor:
    """Some steps with torch's epsilon."""
    networks = make(case, place, AdamConfig(lr=1e-3, betas=(0, 0.99)))
    for step in range(2):
        step_once(networks, case, place, step)
    return parameters(networks)


def step_once(networks: list[Trained], case: Case, place: Place, step: int) -> None:
    terms, good = gan_step(*networks, micro_batches(case, place), Objective(LOSS), Phases(True, step in R1_STEPS))
    assert good, terms


def make(case: Case, place: Place, adam: AdamConfig = ADAM) -> list[Trained]:
    """Generator and discriminator as they are at the start, in the case's engine."""
    generator, discriminator = networks_at_start()
    if case.recompute:
        recompute_blocks(generator)
    if case.engine == "plain":
        return [
            PlainTrained(generator, adam, place, case.accumulation, called_directly=True),
            PlainTrained(discriminator, adam, place, case.accumulation, called_directly=False),
        ]
    from liax.training.deepspeed_engine import DeepSpeedTrained

    stage, pairs = int(case.engine[-1]), BATCH // (case.workers * case.accumulation)
    return [
        DeepSpeedTrained(generator, adam, stage, place, pairs, case.accumulation),
        DeepSpeedTrained(discriminator, adam, min(stage, 1), place, pairs, case.accumulation),
    ]


def networks_at_start() -> tuple[LiaX, Discriminator]:
    torch.manual_seed(0)
    layout = ModelConfig(size_px=64, width=1 / 16, blocks=1, directions=8)
    return LiaX(layout), Discriminator(DiscriminatorConfig(size_px=layout.size_px, width=layout.width))


def pictures() -> tuple[Tensor, Tensor]:
    """Smooth ones: in noise all pictures are alike to the discriminator, which makes its deviation ill conditioned."""
    random = torch.Generator().manual_seed(0)
    source, driving = (torch.rand(BATCH, 3, 4, 4, generator=random) * 2 - 1 for _ in range(2))
    return functional.interpolate(source, size=64, mode="bilinear"), functional.interpolate(
        driving, size=64, mode="bilinear"
    )


def micro_batches(case: Case, place: Place) -> list[PairBatch]:
    """This worker's pairs, so that the groups of the minibatch deviation are the same however they are shared out."""
    source, driving = pictures()
    parts = (
        slice(m * case.workers + place.rank, None, case.workers * case.accumulation) for m in range(case.accumulation)
    )
    return [PairBatch(source=source[part].clone(), driving=driving[part].clone()) for part in parts]


def load(networks: list[Trained], state: list[dict[str, Tensor]]) -> None:
    for trained, (weights, adam) in zip(networks, pairs_of(state), strict=True):
        trained.load(weights, adam)


def pairs_of(state: list[dict[str, Tensor]]) -> Iterator[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    return zip(state[::2], state[1::2], strict=True)


def everything(networks: list[Trained]) -> list[Tensor]:
    """All numbers that training changes, as they are now; all of them on the leading worker only."""
    return [
        tensor for n in networks for values in (n.weights(), n.optimizer_state()) for tensor in copies(values).values()
    ]


def parameters(networks: list[Trained]) -> Tensor:
    """Both networks' weights in one row, on the leading worker."""
    return torch.cat(
        [torch.zeros(0), *(w.flatten() for trained in networks for w in copies(trained.weights()).values())]
    )


def copies(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def keep(folder: Path, name: str, place: Place, result: Any) -> None:
    if place.leads:
        torch.save(result, folder / f"{name}.pt")
