"""What a dry step says is what a real one takes."""

from pathlib import Path

import pytest
import torch

from liax.config import load_config
from liax.training import dry_step as module
from liax.training.config import TrainConfig
from liax.training.dry_step import Meter, StepCosts, dry_step, step_costs

PAIRS = 4
BYTES = ("generator_bytes", "discriminator_bytes", "r1_bytes")


def load(*overrides: str) -> TrainConfig:
    usual = ["shards=s", "output=o", "model.preset=tiny", "loss.perceptual=none"]
    return load_config(TrainConfig, None, [*usual, *overrides])


def real_step(config: TrainConfig) -> StepCosts:
    """The same calls on tensors that have memory."""
    torch.manual_seed(0)
    return module._costs(config, PAIRS)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["compute.recompute=true"],
        ["loss.perceptual=random", "compute.dtype=bfloat16"],
        ["loss.r1_gamma=0", "model.discriminator_width=0.25"],
    ],
    ids=" ".join,
)
def test_every_number_is_a_real_steps(overrides: list[str]) -> None:
    config = load(*overrides)
    said, real = (step.model_dump() for step in (dry_step(config, PAIRS), real_step(config)))
    # Some operations have a few scalars of their own where they compute.
    assert said == {name: pytest.approx(value, rel=1e-3) for name, value in real.items()}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_maps_are_those_that_autograd_keeps(dtype: str) -> None:
    """Against an own count, by PyTorch's hooks on saved tensors."""
    config, kept = load(f"compute.dtype={dtype}"), {}
    torch.manual_seed(0)
    generator, _ = module._networks(config)
    own = {tensor.untyped_storage().data_ptr() for tensor in module._tensors([generator.module])}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    source, driving = torch.rand(2, PAIRS, 3, 64, 64)
    with (
        torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bfloat16"),
    ):
        result = generator(source, driving)
    saved = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    assert result[0].shape == source.shape
    assert saved == pytest.approx(dry_step(config, PAIRS).generator_bytes, rel=0.15)


def test_a_step_holds_most_when_its_forward_pass_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """With backward passes nothing but gradients of weights comes on top; the plan counts those by themselves."""
    config = load()
    forward = dry_step(config, PAIRS)
    monkeypatch.setattr(module._Forward, "runs_backward", True)
    whole = real_step(config)
    gradients = 4 * (forward.generator_parameters + forward.discriminator_parameters)
    for name in BYTES:
        assert getattr(whole, name) <= 1.1 * getattr(forward, name) + gradients


def test_recomputing_holds_less_and_a_gpu_more() -> None:
    usual = dry_step(load("compute.dtype=bfloat16"), PAIRS)
    recomputed = dry_step(load("compute.dtype=bfloat16", "compute.recompute=true"), PAIRS)
    assert recomputed.generator_bytes < 0.7 * usual.generator_bytes
    assert dry_step(load("compute.dtype=auto", "device=cuda"), PAIRS).generator_bytes > usual.generator_bytes


def test_a_meter_counts_storages_once_and_forgets_what_is_gone() -> None:
    known = torch.zeros(100)
    with Meter([known]) as meter:
        view = known[50:]
        made = known + 1
        again = made.view(10, 10)
        assert (meter.now_bytes, meter.peak_bytes) == (400, 400)
        made.add_(1)
        del made, again
        assert meter.now_bytes == 0
        product = torch.ones(2, 3) @ torch.ones(3, 4)
    assert (meter.flop, len(view), product.shape) == (2 * 2 * 3 * 4, 50, (2, 4))


def test_a_step_is_gone_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIAX_CACHE", str(tmp_path))
    first = step_costs(load(), PAIRS)
    monkeypatch.setattr(module, "dry_step", lambda config, pairs: pytest.fail("gone through again"))
    assert step_costs(load("seed=3", "loss.sparsity_weight=0"), PAIRS) == first
    with pytest.raises(pytest.fail.Exception):
        step_costs(load(), 2 * PAIRS)


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LIAX_CACHE", str(tmp_path / "file"))
    assert step_costs(load(), PAIRS).pairs == PAIRS
