"""One step of optimisation, in the phases of StyleGAN2: Gmain, Dmain and, now and then, Dr1. Plain PyTorch.

Shapes: B pairs, C = 3 channels, H W pixels. The discriminator is always called as `.module`, past its engine:
DeepSpeed's engines accept neither another network's backward pass through them nor R1's two backward passes.
"""

from dataclasses import dataclass

from torch import Tensor

from liax.data.dataset import PairBatch
from liax.losses import adversarial
from liax.losses.reconstruction import l1
from liax.losses.sparsity import mean_magnitude
from liax.losses.total import GeneratorTerms, LossConfig
from liax.training.engine import Trained, frozen


@dataclass(frozen=True, slots=True)
class Phases:
    """What a step consists of."""

    adversarial: bool
    r1: bool


def phases(step: int, config: LossConfig) -> Phases:
    """The phases of a step (from 0)."""
    since_start = step - config.adversarial_start_step
    active = since_start >= 0
    return Phases(active, active and config.r1_gamma > 0 and since_start % config.r1_every == 0)


def gan_step(
    generator: Trained, discriminator: Trained, batch: PairBatch, config: LossConfig, now: Phases
) -> dict[str, Tensor]:
    """Update both networks once.

    Returns:
        Every term by name, detached scalars of this worker.
    """
    terms, result_BCHW = generator_step(generator, discriminator, batch, config, now.adversarial)
    if now.adversarial:
        terms |= discriminator_step(discriminator, batch["driving"], result_BCHW)
    if now.r1:
        terms |= r1_step(discriminator, batch["driving"], config)
    return terms


def generator_step(
    generator: Trained, discriminator: Trained, batch: PairBatch, config: LossConfig, adversarial_on: bool
) -> tuple[dict[str, Tensor], Tensor]:
    """Gmain: L1 + λ·mean|a_d| + w·softplus(-D(result)) (LIA-X, eq. 9).

    Returns:
        The terms, and the detached result B×C×H×W in about [-1, 1].
    """
    result_BCHW, driving_BM = generator(batch["source"], batch["driving"])
    with frozen(discriminator.module):
        fooled = adversarial.generator_loss(discriminator.module(result_BCHW)) if adversarial_on else None
        terms = GeneratorTerms(l1(result_BCHW, batch["driving"]), mean_magnitude(driving_BM), fooled)
        total = terms.total(config)
        generator.update(total)
    named = {"loss": total, "l1": terms.l1, "sparsity": terms.sparsity}
    if fooled is not None:
        named["adversarial"] = fooled
    return {name: value.detach() for name, value in named.items()}, result_BCHW.detach()


def discriminator_step(discriminator: Trained, real_BCHW: Tensor, fake_BCHW: Tensor) -> dict[str, Tensor]:
    """Dmain: softplus(-D(real)) + softplus(D(fake)), with the picture that Gmain made (LIA does so too)."""
    real, fake = discriminator.module(real_BCHW), discriminator.module(fake_BCHW)
    loss = adversarial.discriminator_loss(real, fake)
    discriminator.update(loss)
    return {"discriminator": loss.detach(), "real": real.detach().mean(), "fake": fake.detach().mean()}


def r1_step(discriminator: Trained, real_BCHW: Tensor, config: LossConfig) -> dict[str, Tensor]:
    """Dr1: γ/2 · |∇D(real)|², as many times stronger as it is rarer (StyleGAN2, lazy regularisation)."""
    penalty = adversarial.r1_penalty(discriminator.module, real_BCHW)
    discriminator.update(penalty * (config.r1_gamma / 2 * config.r1_every))
    return {"r1": penalty.detach()}
