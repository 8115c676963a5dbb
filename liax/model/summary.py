"""A network's size in words, for `liax model info`."""

import torch
from torch import nn

from liax.model.config import ModelConfig
from liax.model.network import LiaX


def describe(config: ModelConfig) -> str:
    """Several lines: the pictures' size, channels of each level, and parameters by part. Makes no weights."""
    with torch.device("meta"):
        model = LiaX(config)
    levels = model.decoder.levels
    flow = sum(parameters(part) for level in levels for part in (level.up, level.flow_blocks, level.to_flow))
    parts = {
        "encoder": parameters(model.encoder) + parameters(model.to_motion),
        "dictionary": parameters(model.directions),
        "flow branch": flow + parameters(model.decoder.start) + model.decoder.constant.numel(),
        "render branch": parameters(levels) - flow,
    }
    rows = [
        ("picture", f"{config.size_px}×{config.size_px} px"),
        ("width", f"s = {config.width:g}, code of {config.style_dim}"),
        ("dictionary", f"{config.directions} directions"),
        ("blocks", f"{config.blocks} flow and {config.blocks} render at each level"),
        ("channels", ", ".join(f"{config.channels(size_px)} at {size_px}" for size_px in config.levels)),
        *((f"  {name}", f"{count / 1e6:10.2f} M") for name, count in parts.items()),
        ("parameters", f"{parameters(model) / 1e6:10.2f} M"),
    ]
    return "\n".join(f"{name:<16}{value}" for name, value in rows)


def parameters(module: nn.Module) -> int:
    """How many numbers the module learns."""
    return sum(parameter.numel() for parameter in module.parameters())
