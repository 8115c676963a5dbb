"""How much a training step computes, and how much its device could: together the model FLOP utilisation (MFU).

MFU is PaLM's (Chowdhery et al. 2022, appendix B): what the formulas need, divided by the time and the published peak.
What recomputation does twice counts once.
"""

import re

import torch

from liax.training.config import TrainConfig
from liax.training.dry_step import step_costs
from liax.training.share import divide

FORWARD_AND_BACKWARD = 3
"""A backward pass costs two forward passes: one for the gradient of the maps, one for that of the weights."""
FORWARD_AND_MAPS = 2
"""The same where the weights are frozen: the discriminator in Gmain, the perceptual network's look at the result."""
R1_PASSES = 6
"""Dr1 in forward passes of the discriminator: forward, its gradient, and two for each of them on the way back."""

PEAK_BF16_TFLOPS = {
    "A100": 312,  # NVIDIA A100 datasheet
    "H100 PCIe": 756,  # NVIDIA H100 datasheet, half of its number "with sparsity", as in the rows below
    "H100 NVL": 835,
    "H100": 989,
    "H200": 989,  # NVIDIA H200 datasheet
    "L4": 121,  # NVIDIA L4 datasheet
    "RTX 4090": 165,  # NVIDIA Ada architecture whitepaper 2.1, table 2: with float32 accumulation
}
"""Dense bfloat16 peaks on the tensor cores, by words of the GPU's name; the first that fits counts."""


def pair_flop(config: TrainConfig, *, adversarial: bool = True) -> float:
    """Multiplications and additions (two) that training computes for a pair; R1's share of every step is in it.

    PyTorch's counter counts convolutions and matrix products: neither sampling, QR nor what is done value by value.

    Args:
        config: of the run.
        adversarial: whether the discriminator is on, as it is from `loss.adversarial_start_step` on.
    """
    costs = step_costs(config, divide(config.batch, config.workers, config.compute.micro_batch).pairs)
    flop = float(FORWARD_AND_BACKWARD * costs.generator_flop)
    # The driving picture's features need no gradient.
    flop += (1 + FORWARD_AND_MAPS) * costs.perceptual_flop / 2
    if adversarial:
        passes = float(FORWARD_AND_MAPS + 2 * FORWARD_AND_BACKWARD)  # Gmain; Dmain, a real and a made picture
        if config.loss.r1_gamma > 0:
            passes += R1_PASSES / config.loss.r1_every
        flop += passes * costs.discriminator_flop
    return flop / costs.pairs


def peak_flops(device: torch.device, dtype: torch.dtype | str) -> float | None:
    """The published peak of a device in FLOP/s, or None: not published here, not CUDA, or not in bfloat16.

    Args:
        device: of a worker.
        dtype: of convolutions; `auto` is bfloat16 on the GPUs that have a peak here.
    """
    if device.type != "cuda" or dtype not in (torch.bfloat16, "bfloat16", "auto"):
        return None
    return peak_of(torch.cuda.get_device_name(device))


def peak_of(gpu: str) -> float | None:
    """The published dense bfloat16 peak of a GPU by its name, in FLOP/s; None where it is not in the table."""
    if "Laptop" in gpu:  # named like cards that are faster
        return None
    # Whole words: an L40 is no L4.
    fitting = (tflops for words, tflops in PEAK_BF16_TFLOPS.items() if re.search(rf"\b{words}\b", gpu))
    return next((tflops * 1e12 for tflops in fitting), None)
