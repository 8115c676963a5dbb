"""The adversarial terms: non-saturating logistic loss and R1 penalty. Shapes: B pictures, C channels, H W pixels."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from liax.model.layers import at_least_float32


def generator_loss(fake_logits: Tensor) -> Tensor:
    """softplus(-D(fake)), the mean over the batch (Goodfellow 2014, section 3; used by LIA)."""
    return functional.softplus(-at_least_float32(fake_logits)).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """softplus(-D(real)) + softplus(D(fake)), each the mean over the batch."""
    real, fake = at_least_float32(real_logits), at_least_float32(fake_logits)
    return functional.softplus(-real).mean() + functional.softplus(fake).mean()


def r1_penalty(discriminator: nn.Module, real_BCHW: Tensor) -> Tensor:
    """Mean squared norm of D's gradient at real pictures (Mescheder 2018, eq. 9, without γ/2), with a graph to D.

    Runs in float32: it is differentiated twice.
    """
    real_BCHW = at_least_float32(real_BCHW.detach()).requires_grad_(True)
    logits = discriminator(real_BCHW)
    # The sum's gradient is each picture's own only as far as pictures do not mix; the minibatch deviation mixes them
    # slightly, which StyleGAN2 accepts too.
    (gradient_BCHW,) = torch.autograd.grad(logits.sum(), real_BCHW, create_graph=True)
    return gradient_BCHW.square().sum(dim=(1, 2, 3)).mean()
