"""The generator's objective: the one place that names every term and says what it weighs, step by step."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from liax.config import Config

if TYPE_CHECKING:  # so that a command can print its settings without loading PyTorch
    from torch import Tensor

Perceptual = Literal["vgg", "random", "none"]


class LossConfig(Config):
    """L1 + λ_vgg·VGG + adversarial + λ_sparse·mean|a_d| (LIA-X, eq. 9): weights, and when each begins.

    L1 has weight 1, against which the others are measured.
    """

    perceptual: Perceptual = "vgg"
    """What compares pictures beside L1: `vgg`, VGG-19 with its published weights; `random`, the same layers with drawn
    weights, for tests and trials without a network; `none`."""
    perceptual_weights: str | None = None
    """A copy of torchvision's vgg19-dcbb9e9d.pth (a path that all machines have, s3:// or https://). None for
    `LIAX_VGG19` of each machine, else the file is fetched from its publisher."""
    perceptual_weight: float = Field(default=10.0, ge=0)
    """λ_vgg: weight of each of the five layers' differences at each of the four scales (FOMM, LIA)."""
    sparsity_weight: float = Field(default=0.01, ge=0)
    """λ_sparse of mean |a_d|. Our choice: LIA-X does not publish it."""
    sparsity_warmup_steps: int = Field(default=5000, ge=0)
    """Steps in which that weight grows from 0 to λ_sparse, in a straight line. Our choice: the dictionary first learns
    to move anything."""
    adversarial_weight: float = Field(default=1.0, ge=0)
    """Weight of the generator's adversarial term (LIA)."""
    adversarial_start_step: int = Field(default=10_000, ge=0)
    """First step with a discriminator. Our choice: against an untrained generator it learns nothing of use."""
    r1_gamma: float = Field(default=1.0, ge=0)
    """γ of the R1 penalty; 0 turns it off (StyleGAN3's table for 512 px and batch 64; LIA has none)."""
    r1_every: int = Field(default=16, ge=1)
    """R1 runs every so many discriminator steps, times as strong (StyleGAN2, lazy regularisation)."""

    def weights(self, step: int) -> dict[str, float]:
        """What each of the generator's terms weighs, if it is there, when `step` steps are done."""
        grown = min(1.0, step / self.sparsity_warmup_steps) if self.sparsity_warmup_steps else 1.0
        return {
            "l1": 1.0,
            "perceptual": self.perceptual_weight,
            "adversarial": self.adversarial_weight,
            "sparsity": self.sparsity_weight * grown,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorTerms:
    """The terms of one step, each an unweighted float32 scalar; None for one that is not there.

    The adversarial term is there from its first step on (`liax.training.step.phases`), the perceptual one by choice.
    """

    l1: "Tensor"
    perceptual: "Tensor | None" = None
    adversarial: "Tensor | None" = None
    sparsity: "Tensor"

    def named(self) -> "dict[str, Tensor]":
        """The terms that are there, by the names of `LossConfig.weights`."""
        named = {
            "l1": self.l1,
            "perceptual": self.perceptual,
            "adversarial": self.adversarial,
            "sparsity": self.sparsity,
        }
        return {name: term for name, term in named.items() if term is not None}

    def total(self, config: LossConfig, step: int) -> "Tensor":
        """The weighted sum when `step` steps are done, a scalar with a graph."""
        weights = config.weights(step)
        weighted = [weights[name] * term for name, term in self.named().items()]
        return sum(weighted[1:], start=weighted[0])
