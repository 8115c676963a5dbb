"""Weights and pictures drawn by a generator that never changes, so that numbers can be compared across machines."""

import zlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional


def normal(name: str, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers, float32, that depend on the name and shape only."""
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    return torch.from_numpy(np.asarray(generator.standard_normal(shape)).astype(np.float32))


def weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """A weight of a size that makes every part of the network count; `name` is the official one or ours."""
    drawn = normal(name, shape)
    if name.endswith(".gamma"):
        return 0.2 * drawn
    if name.endswith("norm.weight") or "modulation.bias" in name:
        return 1 + 0.1 * drawn
    if "flow" in name and name.endswith(("conv.weight", "to_flow.weight")):
        return 0.15 * drawn
    return 0.1 * drawn if name.endswith("bias") else drawn


def fill(model: nn.Module) -> nn.Module:
    """The model itself, its weights replaced by drawn ones."""
    state = {name: weight(name, tuple(tensor.shape)) for name, tensor in model.state_dict().items()}
    model.load_state_dict(state)
    return model


def official(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """An official state dict of these shapes, with drawn weights and true blur kernels."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0])
    blur = torch.outer(taps, taps) / 64
    return {
        name: blur * (1 if name.startswith("enc.") else 4) if name.endswith("kernel") else weight(name, shape)
        for name, shape in shapes.items()
    }


def pictures(name: str, count: int, size_px: int) -> Tensor:
    """Smooth coloured pictures in [-1, 1]: count×3×size×size."""
    coarse = normal(name, (count, 3, 16, 16))
    return functional.interpolate(coarse, size=(size_px, size_px), mode="bilinear", align_corners=False).tanh()


def distance(x: Tensor, reference: Tensor, *, centred: bool = True) -> float:
    """‖x − reference‖ relative to the reference's spread round its mean, or to its own size."""
    centre = reference.mean() if centred else 0
    return float((x - reference).norm() / (reference - centre).norm())
