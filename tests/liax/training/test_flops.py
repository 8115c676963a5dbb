"""FLOPs of a pair against a counter on a whole real step, and the table of peaks."""

import pytest
import torch

from liax.config import load_config
from liax.training import dry_step as module
from liax.training.config import TrainConfig
from liax.training.dry_step import Meter
from liax.training.flops import pair_flop, peak_flops, peak_of
from liax.training.step import Objective, Phases, discriminator_step, generator_step, r1_step


def load(*overrides: str) -> TrainConfig:
    usual = ["shards=s", "output=o", "model.preset=tiny", "batch=8", "loss.perceptual=none"]
    return load_config(TrainConfig, None, [*usual, *overrides])


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIAX_CACHE", str(tmp_path_factory.getbasetemp() / "steps"))


@pytest.mark.parametrize("perceptual", ["none", "random"])
@pytest.mark.parametrize("adversarial", [True, False])
def test_a_pair_takes_what_a_counted_step_takes(
    perceptual: str, adversarial: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(f"loss.perceptual={perceptual}")
    said = pair_flop(config, adversarial=adversarial)
    monkeypatch.setattr(module._Forward, "runs_backward", True)
    torch.manual_seed(0)
    (generator, discriminator), compared = module._networks(config), module._perceptual(config.loss)
    source, driving = torch.rand(2, 4, 3, 64, 64)
    objective, now = Objective(config.loss, perceptual=compared), Phases(adversarial=adversarial, r1=adversarial)
    with Meter([]) as always:
        generator_step(generator, discriminator, [{"source": source, "driving": driving}], objective, now)
        if adversarial:
            discriminator_step(discriminator, [driving], [source], objective)
    with Meter([]) as at_times:
        if adversarial:
            r1_step(discriminator, [driving], objective)
    counted = (always.flop + at_times.flop / config.loss.r1_every) / 4
    assert said == pytest.approx(counted, rel=0.05)


def test_neither_precision_nor_recomputation_changes_what_the_formulas_need() -> None:
    usual = pair_flop(load())
    assert (
        pair_flop(load("compute.dtype=bfloat16", "batch=16", "compute.micro_batch=4", "compute.recompute=true"))
        == usual
    )


@pytest.mark.parametrize(
    ("gpu", "tflops"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA L4", 121),
        ("NVIDIA L40S", None),
        ("NVIDIA GeForce RTX 4090", 165),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("Tesla T4", None),
    ],
)
def test_a_gpu_has_its_published_peak_or_none(gpu: str, tflops: float | None) -> None:
    peak = peak_of(gpu)
    assert peak == (None if tflops is None else tflops * 1e12)


def test_a_cpu_has_no_published_peak() -> None:
    assert peak_flops(torch.device("cpu"), torch.bfloat16) is None
    assert peak_flops(torch.device("cuda"), "float32") is None
