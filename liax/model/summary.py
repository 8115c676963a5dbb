"""A network's size in words, for `liax model info`."""

from collections import Counter

import torch

from liax.model.config import ModelConfig
from liax.model.network import LiaX


def describe(config: ModelConfig) -> str:
    """Several lines: the pictures' size, the channels of each level, and parameters by part. Draws no weights."""
    counts = count_parameters(config)
    rows = [
        ("picture", f"{config.size_px}×{config.size_px} px"),
        ("width", f"s = {config.width:g}, a code has {config.style_dim} numbers"),
        ("dictionary", f"{config.directions} directions"),
        ("blocks", f"{config.blocks} flow and {config.blocks} render at each level"),
        ("channels", ", ".join(f"{config.channels(size_px)} at {size_px} px" for size_px in config.levels)),
        *((f"  {part}", f"{count / 1e6:10.2f} M") for part, count in counts.items()),
        ("parameters", f"{counts.total() / 1e6:10.2f} M"),
    ]
    return "\n".join(f"{name:<16}{value}" for name, value in rows)


def count_parameters(config: ModelConfig) -> Counter[str]:
    """How many numbers each part of the network learns."""
    with torch.device("meta"):
        model = LiaX(config)
    counts: Counter[str] = Counter()
    for name, parameter in model.named_parameters():
        counts[_part(name)] += parameter.numel()
    return counts


def _part(name: str) -> str:
    if name.startswith(("encoder.", "to_motion.")):
        return "encoder"
    if name.startswith("directions."):
        return "dictionary"
    return "render branch" if ".render_" in name or ".to_rgb." in name else "flow branch"
