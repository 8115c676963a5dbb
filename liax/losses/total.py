"""The generator's objective: every term by name, and their weighted sum (LIA-X, eq. 9)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from liax.config import Config
from liax.losses.perceptual import Perceptual

if TYPE_CHECKING:  # so that a command can print its settings without loading PyTorch
    from torch import Tensor


class LossConfig(Config):
    """Weights of the terms, and when the adversarial ones begin."""

    perceptual: Perceptual = "none"
    """Which network compares pictures: `none`, or `vgg` (not available yet)."""
    sparsity_weight: float = Field(default=0.01, ge=0)
    """λ of mean |a_d|. Our choice: LIA-X does not publish it."""
    adversarial_weight: float = Field(default=1.0, ge=0)
    """Weight of the generator's adversarial term (LIA)."""
    adversarial_start_step: int = Field(default=10_000, ge=0)
    """First step with a discriminator. Our choice: against an untrained generator it learns nothing of use."""
    r1_gamma: float = Field(default=1.0, ge=0)
    """γ of the R1 penalty; 0 turns it off (StyleGAN3's table for 512 px and batch 64)."""
    r1_every: int = Field(default=16, ge=1)
    """R1 runs every so many discriminator steps, times as strong (StyleGAN2, lazy regularisation)."""


@dataclass(frozen=True, slots=True)
class GeneratorTerms:
    """The terms of one step, each an unweighted scalar; `adversarial` is None before its start."""

    l1: "Tensor"
    sparsity: "Tensor"
    adversarial: "Tensor | None"

    def total(self, config: LossConfig) -> "Tensor":
        """The weighted sum, a scalar with a graph."""
        total = self.l1 + config.sparsity_weight * self.sparsity
        if self.adversarial is not None:
            total = total + config.adversarial_weight * self.adversarial
        return total
