"""The phases of a step against their formulas, and the precision in which each of their parts is computed."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.data.batch import PairBatch
from liax.losses.total import LossConfig
from liax.model.config import DiscriminatorConfig, ModelConfig
from liax.model.discriminator import Discriminator
from liax.model.layers import EqualConv2d, EqualLinear
from liax.model.modulated import ModulatedConv2d
from liax.model.network import LiaX
from liax.training.config import AdamConfig
from liax.training.engine import PlainTrained, frozen
from liax.training.place import alone
from liax.training.step import Objective, Phases, discriminator_step, gan_step, generator_step, phases, r1_step

pytestmark = pytest.mark.usefixtures("one_thread")

LOSS = LossConfig(
    perceptual="none", sparsity_weight=0.3, sparsity_warmup_steps=0, adversarial_weight=0.7, r1_gamma=2, r1_every=4
)
BFLOAT16 = Objective(LOSS, dtype=torch.bfloat16)
ADAM = AdamConfig(lr=1e-3, betas=(0, 0.99))


class Trials:
    """Both networks in training, whose gradients are looked at before they are used and thrown away."""

    def __init__(self, micro_batches: int = 1) -> None:
        torch.manual_seed(0)
        layout = ModelConfig(size_px=64, width=1 / 16, blocks=1, directions=8)
        self.g = PlainTrained(LiaX(layout), ADAM, alone(), micro_batches, called_directly=True)
        d = Discriminator(DiscriminatorConfig(size_px=layout.size_px, width=layout.width))
        self.d = PlainTrained(d, ADAM, alone(), micro_batches, called_directly=False)
        self.gradients: dict[str, dict[str, Tensor]] = {"g": {}, "d": {}}
        for name, trained in (("g", self.g), ("d", self.d)):
            trained._adam.register_step_pre_hook(self._look(name, trained.module))

    def _look(self, name: str, module: nn.Module) -> Callable[..., None]:
        def look(*_: Any) -> None:
            self.gradients[name] = {n: p.grad.clone() for n, p in module.named_parameters() if p.grad is not None}

        return look


@pytest.fixture
def trials() -> Trials:
    return Trials()


@pytest.fixture
def pairs() -> PairBatch:
    """Smooth pictures, a group of the discriminator's deviation twice: in noise all are alike to it."""
    random = torch.Generator().manual_seed(0)
    source, driving = (torch.rand(8, 3, 4, 4, generator=random) * 2 - 1 for _ in range(2))
    enlarged = [functional.interpolate(small, size=64, mode="bilinear") for small in (source, driving)]
    return PairBatch(source=enlarged[0], driving=enlarged[1])


def test_generator_step_is_its_formula(trials: Trials, pairs: PairBatch) -> None:
    g, d = copy.deepcopy(trials.g.module), copy.deepcopy(trials.d.module)
    result, coefficients = g(pairs["source"], pairs["driving"])
    terms = {
        "l1": (result - pairs["driving"]).abs().mean(),
        "sparsity": coefficients.abs().mean(),
        "adversarial": functional.softplus(-d(result)).mean(),
        "perceptual": (result - pairs["driving"]).square().mean(),
    }
    weights = {"l1": 1, "sparsity": 0.3 * 5 / 10, "adversarial": 0.7, "perceptual": 2}
    loss = sum((weights[name] * term for name, term in terms.items()), start=torch.zeros(()))
    loss.backward()

    config = LOSS.model_copy(update={"perceptual_weight": 2, "sparsity_warmup_steps": 10})
    objective = Objective(config, step=5, perceptual=nn.MSELoss())
    made, results = generator_step(trials.g, trials.d, [pairs], objective, Phases(adversarial=True, r1=False))
    assert set(made) == {*terms, "loss", "gradient/generator"}
    for name, value in (terms | {"loss": loss}).items():
        assert made[name].item() == pytest.approx(value.item(), rel=1e-6)
    assert_gradients(trials.gradients["g"], g)
    assert made["gradient/generator"].item() == pytest.approx(length(g), rel=1e-6)
    assert results[0].equal(result.detach())
    assert not results[0].requires_grad


def test_before_its_start_the_generator_has_no_adversary(trials: Trials, pairs: PairBatch) -> None:
    made, good = gan_step(trials.g, trials.d, [pairs], Objective(LOSS), Phases(adversarial=False, r1=False))
    assert good
    assert set(made) == {"loss", "l1", "sparsity", "gradient/generator"}
    assert not trials.gradients["d"]


def test_discriminator_step_is_its_formula(trials: Trials, pairs: PairBatch) -> None:
    d = copy.deepcopy(trials.d.module)
    real, fake = d(pairs["driving"]), d(pairs["source"])
    loss = functional.softplus(-real).mean() + functional.softplus(fake).mean()
    loss.backward()
    made = discriminator_step(trials.d, [pairs["driving"]], [pairs["source"]], Objective(LOSS))
    for name, value in {"discriminator": loss, "real": real.mean(), "fake": fake.mean()}.items():
        assert made[name].item() == pytest.approx(value.item(), rel=1e-6)
    assert_gradients(trials.gradients["d"], d)


def test_r1_step_is_its_formula(trials: Trials, pairs: PairBatch) -> None:
    d = copy.deepcopy(trials.d.module)
    real = pairs["driving"].clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(d(real).sum(), real, create_graph=True)
    penalty = slope.square().sum(dim=(1, 2, 3)).mean()
    (2 / 2 * 4 * penalty).backward()
    made = r1_step(trials.d, [pairs["driving"]], Objective(LOSS))
    assert made["r1"].item() == pytest.approx(penalty.item(), rel=1e-6)
    assert_gradients(trials.gradients["d"], d)


def test_micro_batches_are_averaged(pairs: PairBatch) -> None:
    whole, parts = Trials(), Trials(micro_batches=2)
    halves = [PairBatch(source=pairs["source"][m::2], driving=pairs["driving"][m::2]) for m in range(2)]
    for trials, batches in ((whole, [pairs]), (parts, halves)):
        generator_step(trials.g, trials.d, batches, Objective(LOSS), Phases(adversarial=True, r1=False))
        reals = [batch["driving"] for batch in batches]
        r1_step(trials.d, reals, Objective(LOSS))
    for name in ("g", "d"):
        for parameter, gradient in whole.gradients[name].items():
            error = parts.gradients[name][parameter] - gradient
            assert error.norm() <= 1e-2 * gradient.norm(), parameter


def test_the_generators_step_leaves_the_discriminator_alone(trials: Trials, pairs: PairBatch) -> None:
    before = copy.deepcopy(trials.d.module.state_dict())
    generator_step(trials.g, trials.d, [pairs], Objective(LOSS), Phases(adversarial=True, r1=False))
    assert all(parameter.grad is None for parameter in trials.d.module.parameters())
    assert all(parameter.requires_grad for parameter in trials.d.module.parameters())
    assert all(tensor.equal(before[name]) for name, tensor in trials.d.module.state_dict().items())


def test_frozen_lets_gradients_through_and_ends_with_an_error() -> None:
    layer = nn.Linear(2, 1)
    x = torch.ones(1, 2, requires_grad=True)
    with frozen(layer):
        layer(x).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is None
    with pytest.raises(ZeroDivisionError), frozen(layer):
        1 / 0  # noqa: B018  # any error
    assert layer.weight.requires_grad


def test_a_generator_that_is_not_finite_stops_the_step(trials: Trials, pairs: PairBatch) -> None:
    before = [copy.deepcopy(trained.module.state_dict()) for trained in (trials.g, trials.d)]
    pairs["driving"][0, 0, 0, 0] = torch.inf
    made, good = gan_step(trials.g, trials.d, [pairs], Objective(LOSS), Phases(adversarial=True, r1=True))
    assert not good
    assert not {"discriminator", "r1"} & set(made)
    for trained, state in zip((trials.g, trials.d), before, strict=True):
        assert all(tensor.equal(state[name]) for name, tensor in trained.module.state_dict().items())
        assert trained.optimizer_state()["updates"] == 0


def test_bfloat16_computes_maps_only(trials: Trials, pairs: PairBatch) -> None:
    seen = {"g": record_dtypes(trials.g.module, EqualConv2d), "d": record_dtypes(trials.d.module, EqualConv2d)}
    made, results = generator_step(trials.g, trials.d, [pairs], BFLOAT16, Phases(adversarial=True, r1=False))
    made |= discriminator_step(trials.d, [pairs["driving"]], results, BFLOAT16)
    assert {dtype for layers in seen.values() for dtypes in layers.values() for dtype in dtypes} == {torch.bfloat16}
    assert results[0].dtype == torch.float32
    assert {term.dtype for term in made.values()} == {torch.float32}
    for trained, name in ((trials.g, "g"), (trials.d, "d")):
        assert {p.dtype for p in trained.module.parameters()} == {torch.float32}
        assert {gradient.dtype for gradient in trials.gradients[name].values()} == {torch.float32}


def test_codes_flow_and_modulation_stay_float32(
    trials: Trials, pairs: PairBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    g = trials.g.module
    assert isinstance(g, LiaX)
    seen = record_dtypes(g.decoder, EqualLinear)  # every modulation
    for name, part in {
        "code": g.encoder.to_code,
        "coefficients": g.to_motion,
        "dictionary": g.directions,
        "flow": g.decoder.levels[0].to_flow,
        "colours": g.decoder.levels[0].to_rgb,
    }.items():
        part.register_forward_hook(
            lambda module, inputs, output, name=name: seen.setdefault(name, []).append(output.dtype)
        )
    spy(monkeypatch, torch.linalg, "qr", seen)
    spy(monkeypatch, functional, "grid_sample", seen)
    factors = ModulatedConv2d.factors

    def watched(self: ModulatedConv2d, z_BD: Tensor) -> tuple[Tensor, Tensor]:
        style_BI, factor_BO = factors(self, z_BD)
        seen.setdefault("demodulation", []).extend((style_BI.dtype, factor_BO.dtype))
        return style_BI, factor_BO

    monkeypatch.setattr(ModulatedConv2d, "factors", watched)
    generator_step(trials.g, trials.d, [pairs], BFLOAT16, Phases(adversarial=False, r1=False))
    assert {"code", "coefficients", "dictionary", "flow", "colours", "qr", "grid_sample", "demodulation"} < set(seen)
    assert {name: set(dtypes) for name, dtypes in seen.items() if set(dtypes) != {torch.float32}} == {}


def test_r1_is_float32_whatever_the_objective(trials: Trials, pairs: PairBatch) -> None:
    seen = record_dtypes(trials.d.module, EqualConv2d)
    made = r1_step(trials.d, [pairs["driving"]], BFLOAT16)
    assert {dtype for dtypes in seen.values() for dtype in dtypes} == {torch.float32}
    assert made["r1"].equal(r1_step(Trials().d, [pairs["driving"]], Objective(LOSS))["r1"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_channels_last_gives_the_same(pairs: PairBatch, dtype: torch.dtype) -> None:
    last = PairBatch(
        source=pairs["source"].to(memory_format=torch.channels_last),
        driving=pairs["driving"].to(memory_format=torch.channels_last),
    )
    first, second = Trials(), Trials()
    made = []
    for trials, batch in ((first, pairs), (second, last)):
        terms, good = gan_step(trials.g, trials.d, [batch], Objective(LOSS, dtype=dtype), Phases(True, True))
        assert good
        made.append(terms)
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    for name, value in made[0].items():
        if not name.startswith("gradient/"):
            assert made[1][name].item() == pytest.approx(value.item(), rel=tolerance, abs=tolerance / 10)
    # Parameters keep their order in memory: DeepSpeed lays them side by side.
    assert all(gradient.is_contiguous() for gradient in second.gradients["g"].values())


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, (False, False)), (9, (False, False)), (10, (True, True)), (11, (True, False)), (14, (True, True))],
)
def test_phases_begin_and_repeat(step: int, expected: tuple[bool, bool]) -> None:
    now = phases(step, LOSS.model_copy(update={"adversarial_start_step": 10}))
    assert (now.adversarial, now.r1) == expected


def test_no_r1_where_gamma_is_0() -> None:
    assert phases(0, LOSS.model_copy(update={"adversarial_start_step": 0, "r1_gamma": 0})) == Phases(True, False)


def record_dtypes(module: nn.Module, kind: type[nn.Module]) -> dict[str, list[torch.dtype]]:
    """Of every layer of a kind, by name and time, what it will give."""
    seen: dict[str, list[torch.dtype]] = {}
    for name, layer in module.named_modules():
        if isinstance(layer, kind):
            layer.register_forward_hook(
                lambda module, inputs, output, name=name: seen.setdefault(name, []).append(output.dtype)
            )
    return seen


def spy(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, seen: dict[str, list[torch.dtype]]) -> None:
    """Note the dtypes of a function's tensors."""
    original = getattr(owner, name)

    def watched(*inputs: Any, **options: Any) -> Any:
        seen.setdefault(name, []).extend(x.dtype for x in inputs if isinstance(x, Tensor))
        return original(*inputs, **options)

    monkeypatch.setattr(owner, name, watched)


def assert_gradients(gradients: dict[str, Tensor], module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(gradients[name], expected, rtol=1e-5, atol=1e-8)


def length(module: nn.Module) -> float:
    return float(sum(p.grad.double().square().sum() for p in module.parameters() if p.grad is not None)) ** 0.5
