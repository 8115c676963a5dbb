"""How far a result is from the picture that it should be. Definitions, each once, over pictures in [0, 1].

Results are clipped first, as they are when they become files. Shapes: B pictures, C = 3 channels, H W pixels.
"""

import torch
from torch import Tensor

from liax.model.layers import full_precision

VERSION = 1
"""Counts changes of a definition."""

SSIM_WINDOW, SSIM_SIGMA = 11, 1.5
"""Wang et al. 2004, section III.C."""

PSNR_MOST_DB = 100.0
"""What equal pictures have. Our choice: by infinity one such pair, of a still clip say, would be every set's mean."""


@torch.no_grad()
def picture_errors(result_BCHW: Tensor, wanted_BCHW: Tensor) -> dict[str, Tensor]:
    """Every measure for each picture.

    Args:
        result_BCHW: pictures in about [-1, 1].
        wanted_BCHW: pictures in [-1, 1].

    Returns:
        Float32 of length B by name: `l1`, mean |difference|; `psnr`, −10 log₁₀ of the mean squared difference, in dB,
        at most `PSNR_MOST_DB`; `ssim`, Wang et al. 2004 with a Gaussian window, data range 1, the mean over channels
        and all places, the border mirrored.
    """
    with full_precision(result_BCHW):
        result_BCHW, wanted_BCHW = _unit(result_BCHW), _unit(wanted_BCHW)
        difference_BCHW = result_BCHW - wanted_BCHW
        return {
            "l1": difference_BCHW.abs().mean(dim=(1, 2, 3)),
            "psnr": (-10 * difference_BCHW.square().mean(dim=(1, 2, 3)).log10()).clamp(max=PSNR_MOST_DB),
            "ssim": _ssim(result_BCHW, wanted_BCHW),
        }


def _unit(picture_BCHW: Tensor) -> Tensor:
    # With channels last a GPU may convolve in TF32, which leaves nothing of SSIM's variances, small differences of
    # large numbers. A CPU does not, and is three times as fast with them.
    order = torch.channels_last if picture_BCHW.device.type == "cpu" else torch.contiguous_format
    return (picture_BCHW.float().contiguous(memory_format=order).clamp(-1, 1) + 1) / 2


def _ssim(result_BCHW: Tensor, wanted_BCHW: Tensor) -> Tensor:
    from torchmetrics.functional.image import structural_similarity_index_measure

    values_B = structural_similarity_index_measure(
        result_BCHW,
        wanted_BCHW,
        gaussian_kernel=True,
        sigma=SSIM_SIGMA,
        kernel_size=SSIM_WINDOW,
        reduction="none",
        data_range=1.0,
    )
    assert isinstance(values_B, Tensor)  # a pair only where the full map is asked for
    return values_B
