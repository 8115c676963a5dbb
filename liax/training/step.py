"""One step of optimisation, in the phases of StyleGAN2: Gmain, Dmain and, now and then, Dr1. Plain PyTorch.

Each phase goes through the step's micro-batches and ends with one update. The discriminator is always called as
`.module`, past its engine: DeepSpeed's engines accept neither another network's backward pass through them nor R1's
two backward passes.

Shapes: B pairs of a micro-batch, C = 3 channels, H W pixels, M directions.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from liax.data.batch import PairBatch
from liax.losses import adversarial
from liax.losses.reconstruction import l1
from liax.losses.sparsity import mean_magnitude
from liax.losses.total import GeneratorTerms, LossConfig
from liax.training.engine import Trained, frozen

ItemT = TypeVar("ItemT")

Terms = dict[str, Tensor]
"""Detached scalars of this worker, by name."""


@dataclass(frozen=True, slots=True)
class Phases:
    """What a step consists of."""

    adversarial: bool
    r1: bool


@dataclass(frozen=True, slots=True)
class Objective:
    """What is minimised, and at which precision.

    Args:
        config: weights of the terms.
        step: steps done before this one; some weights depend on it.
        perceptual: compares result and driving picture, B×3×H×W each, in one scalar; None for no such term.
        dtype: of convolutions, by autocast. R1 is float32 always: it is differentiated twice.
    """

    config: LossConfig
    step: int = 0
    perceptual: nn.Module | None = None
    dtype: torch.dtype = torch.float32

    def compare(self, result_BCHW: Tensor, driving_BCHW: Tensor) -> Tensor | None:
        """The perceptual term, if there is one."""
        return None if self.perceptual is None else self.perceptual(result_BCHW, driving_BCHW)

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context of forward passes. It is ours because DeepSpeed's does not reach `.module` calls."""
        return torch.autocast(device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)


def phases(step: int, config: LossConfig) -> Phases:
    """The phases of a step (from 0)."""
    since_start = step - config.adversarial_start_step
    active = since_start >= 0
    return Phases(active, active and config.r1_gamma > 0 and since_start % config.r1_every == 0)


def gan_step(
    generator: Trained, discriminator: Trained, micro_batches: Sequence[PairBatch], objective: Objective, now: Phases
) -> tuple[Terms, bool]:
    """Update both networks once. What is not finite updates nothing, and what follows it in the step is left out.

    Returns:
        Every term by name, means over the micro-batches; whether every update was made.
    """
    terms, results = generator_step(generator, discriminator, micro_batches, objective, now)
    good = _finite(terms, "gradient/generator")
    reals = [batch["driving"] for batch in micro_batches]
    if good and now.adversarial:
        terms |= discriminator_step(discriminator, reals, results, objective)
        good = _finite(terms, "gradient/discriminator")
    if good and now.r1:
        terms |= r1_step(discriminator, reals, objective)
        good = _finite(terms, "gradient/r1")
    return terms, good


def generator_step(
    generator: Trained, discriminator: Trained, micro_batches: Sequence[PairBatch], objective: Objective, now: Phases
) -> tuple[Terms, list[Tensor]]:
    """Gmain: L1 + λ_vgg·VGG + w·softplus(-D(result)) + λ_sparse·mean|a_d| (LIA-X, eq. 9).

    Returns:
        The terms; the detached results B×C×H×W of each micro-batch, about [-1, 1].
    """
    sums, results = _Sums(), []
    with frozen(discriminator.module):
        for batch, last in _with_last(micro_batches):
            source_BCHW, driving_BCHW = batch["source"], batch["driving"]
            with generator.micro_batch(last=last):
                with objective.autocast(driving_BCHW.device):
                    result_BCHW, driving_BM = generator(source_BCHW, driving_BCHW)
                    terms = GeneratorTerms(
                        l1=l1(result_BCHW, driving_BCHW),
                        perceptual=objective.compare(result_BCHW, driving_BCHW),
                        adversarial=fooling(discriminator.module, result_BCHW) if now.adversarial else None,
                        sparsity=mean_magnitude(driving_BM),
                    )
                total = terms.total(objective.config, objective.step)
                generator.backward(_felt(total))
            sums.add({"loss": total, **terms.named()})
            results.append(result_BCHW.detach())
    return sums.means() | {"gradient/generator": torch.tensor(generator.step())}, results


def fooling(discriminator: nn.Module, result_BCHW: Tensor) -> Tensor:
    """softplus(-D(result)): the adversarial term, a scalar."""
    return adversarial.generator_loss(discriminator(result_BCHW))


def discriminator_step(
    discriminator: Trained, reals: Sequence[Tensor], fakes: Sequence[Tensor], objective: Objective
) -> Terms:
    """Dmain: softplus(-D(real)) + softplus(D(fake)), with the pictures that Gmain made (LIA does so too)."""
    sums = _Sums()
    for (real_BCHW, fake_BCHW), last in _with_last(list(zip(reals, fakes, strict=True))):
        with discriminator.micro_batch(last=last):
            with objective.autocast(real_BCHW.device):
                real, fake = discriminator.module(real_BCHW), discriminator.module(fake_BCHW)
            loss = adversarial.discriminator_loss(real, fake)
            discriminator.backward(_felt(loss))
        sums.add({"discriminator": loss, "real": real.mean(), "fake": fake.mean()})
    return sums.means() | {"gradient/discriminator": torch.tensor(discriminator.step())}


def r1_step(discriminator: Trained, reals: Sequence[Tensor], objective: Objective) -> Terms:
    """Dr1: γ/2 · |∇D(real)|², as many times stronger as it is rarer (StyleGAN2, lazy regularisation)."""
    sums, config = _Sums(), objective.config
    for real_BCHW, last in _with_last(reals):
        with discriminator.micro_batch(last=last):
            penalty = adversarial.r1_penalty(discriminator.module, real_BCHW)
            discriminator.backward(_felt(penalty * (config.r1_gamma / 2 * config.r1_every)))
        sums.add({"r1": penalty})
    return sums.means() | {"gradient/r1": torch.tensor(discriminator.step())}


def _felt(loss: Tensor) -> Tensor:
    """The loss, whose gradient is not finite where it is not, so that the optimiser's guard sees both."""
    return loss * (1 + 0 * loss.detach())


class _Sums:
    """Means of named scalars over micro-batches of one size."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = defaultdict(list)

    def add(self, terms: Terms) -> None:
        for name, value in terms.items():
            self._values[name].append(value.detach())

    def means(self) -> Terms:
        return {name: torch.stack(values).mean() for name, values in self._values.items()}


def _with_last(items: Sequence[ItemT]) -> list[tuple[ItemT, bool]]:
    return [(item, number == len(items) - 1) for number, item in enumerate(items)]


def _finite(terms: Terms, name: str) -> bool:
    """Whether an update was made; the length of its gradient is the same on all workers, so they agree.

    The length is on the CPU already: asking for it does not wait for a GPU.
    """
    return math.isfinite(terms[name].item())
