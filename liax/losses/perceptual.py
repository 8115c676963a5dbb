"""The perceptual term of LIA-X, eq. 9 (VGG features)."""

from typing import TYPE_CHECKING

from liax.errors import UserError
from liax.losses.total import LossConfig, Perceptual

if TYPE_CHECKING:
    import torch
    from torch import nn


def require_available(choice: Perceptual, weights: str | None = None) -> None:
    """Raise UserError for a perceptual loss that this version cannot compute."""
    if choice != "none":
        raise UserError(f"loss.perceptual={choice} is not available yet: set loss.perceptual=none")


def make_perceptual(config: LossConfig, device: "torch.device") -> "nn.Module | None":
    """The term that the configuration names, on a device; None for none."""
    require_available(config.perceptual)
    return None
