"""The perceptual term of LIA-X, eq. 9 (VGG features). Not available yet; this file owns the refusal."""

from typing import Literal

from liax.errors import UserError

Perceptual = Literal["none", "vgg"]


def require_available(choice: Perceptual) -> None:
    """Raise UserError for a perceptual loss that this version cannot compute."""
    if choice == "vgg":
        raise UserError("loss.perceptual=vgg is not available yet: set loss.perceptual=none")
