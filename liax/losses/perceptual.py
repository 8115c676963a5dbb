"""The perceptual term: how far VGG-19's features of the result are from the driving frame's, at four scales.

Shapes: B pictures, C = 3 colours, H W pixels.
"""

import torch
from torch import Tensor, nn

from liax.errors import UserError
from liax.losses import vgg
from liax.losses.total import LossConfig, Perceptual
from liax.model.layers import Blur, at_least_float32, full_precision

SCALES = 4
"""The pictures as they are, and at 1/2, 1/4 and 1/8 (FOMM; LIA)."""

# ImageNet's colours in [0, 1], by which torchvision's VGG-19 expects pictures to be normalised.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PerceptualLoss(nn.Module):
    """Mean absolute difference of relu1_1, 2_1, 3_1, 4_1 and 5_1, added up over these layers and over `SCALES`.

    Johnson et al. 2016 with the layers and scales of FOMM and LIA, where each of the differences has weight 10:
    `LossConfig.perceptual_weight`. A layer is left out at a scale where its map would be below 1 px: of the twenty
    differences one at 64 px, none at 128 px and more.

    A normalised picture is halved by the filter [1, 3, 3, 1] in each direction, with zeros beyond its border, as maps
    are in the discriminator. Our choice: it dims more of what would alias than the mean of 2×2 pixels does.

    Pictures are not clamped: outside [-1, 1] a clamp has no gradient, and the value would stay there.

    Args:
        network: gives features of normalised pictures; is not trained.
    """

    mean_C11: Tensor
    deviation_C11: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.halve = Blur(padding=1, stride=2)
        mean_C, deviation_C = torch.tensor(_MEAN, device="cpu"), torch.tensor(_DEVIATION, device="cpu")
        # In the terms of [-1, 1]: x/2 + 1/2 is the picture in [0, 1].
        self.register_buffer("mean_C11", (2 * mean_C - 1)[:, None, None], persistent=False)
        self.register_buffer("deviation_C11", (2 * deviation_C)[:, None, None], persistent=False)

    def forward(self, result_BCHW: Tensor, driving_BCHW: Tensor) -> Tensor:
        """Compare pictures of about [-1, 1], in a float32 scalar; no gradient goes to the driving frame.

        Convolutions run under the caller's autocast; differences and sums are in float32.
        """
        total = at_least_float32(result_BCHW).new_zeros(())
        with torch.no_grad():
            driven = [self.network(picture_BCHW) for picture_BCHW in self._pyramid(driving_BCHW)]
        for picture_BCHW, wanted in zip(self._pyramid(result_BCHW), driven, strict=True):
            for feature_BCHW, wanted_BCHW in zip(self.network(picture_BCHW), wanted, strict=True):
                total = total + (at_least_float32(feature_BCHW) - at_least_float32(wanted_BCHW)).abs().mean()
        return total

    def _pyramid(self, picture_BCHW: Tensor) -> list[Tensor]:
        """The normalised picture at each scale, in float32."""
        with full_precision(picture_BCHW):
            scaled = [(at_least_float32(picture_BCHW) - self.mean_C11) / self.deviation_C11]
            for _ in range(SCALES - 1):
                if min(scaled[-1].shape[-2:]) < 2:
                    break
                scaled.append(self.halve(scaled[-1]))
        return scaled


def make_perceptual(config: LossConfig, device: torch.device) -> PerceptualLoss | None:
    """The term that a configuration names, on a device; None for none. Errors as in `vgg.published`.

    Made once on each worker: it has no state, and every worker's is the same.
    """
    if config.perceptual == "none":
        return None
    network = vgg.published(config.perceptual_weights) if config.perceptual == "vgg" else vgg.drawn()
    return PerceptualLoss(network).to(device)


def require_available(choice: Perceptual, weights: str | None = None) -> None:
    """Fetch what the choice needs, before anything is started.

    Args:
        choice: `LossConfig.perceptual`.
        weights: `LossConfig.perceptual_weights`.

    Raises:
        UserError: VGG-19's weights cannot be had, or are not those.
    """
    if choice != "vgg":
        return
    try:
        vgg.published(weights)
    except UserError as error:
        raise UserError(
            f"loss.perceptual=vgg: {error}; or set loss.perceptual_weights to its path or URL, "
            "or train without it: loss.perceptual=none (soft results) or random (for trials)"
        ) from None
