"""A network made ready to be used on one device: pictures in, codes and pictures out.

Legend: B batch, S side in pixels, C colours, D style width, M directions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from liax.errors import UserError
from liax.model.network import LiaX
from liax.pictures import Picture, from_model, to_model


@dataclass(frozen=True, slots=True)
class Encoded:
    """Pictures as the decoder needs them: codes z_BD and motion a_BM in float32, maps of 8, 16, …, S pixels."""

    z_BD: Tensor
    motion_BM: Tensor
    features: list[Tensor]


class Renderer:
    """A network in eval mode on `device`; nothing it does keeps gradients.

    Args:
        model: the network, which the renderer takes over.
        device: as PyTorch names it, or `auto`, a GPU where there is one.

    Raises:
        UserError: there is no such device.
    """

    batch = 4
    """Frames that go through together; more only cost memory on a CPU."""

    def __init__(self, model: LiaX, device: str = "auto") -> None:
        self.device = choose_device(device)
        self.model = model.eval().to(self.device)
        self.size_px, self.directions = model.config.size_px, model.config.directions

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Picture]) -> Encoded:
        """Source pictures, uint8 S×S×C, for `decode`."""
        z_BD, features = self.model.encode(to_model(pictures, self.device))
        return Encoded(z_BD, self.model.motion_coefficients(z_BD), features)

    @torch.inference_mode()
    def motion(self, pictures: Sequence[Picture]) -> Tensor:
        """Motion coefficients a_BM, float32, of driving pictures, uint8 S×S×C; cheaper than `encode`."""
        return self.model.motion_coefficients(self.model.code(to_model(pictures, self.device)))

    @torch.inference_mode()
    def navigate(
        self, z_BD: Tensor, a_BM: Tensor, start_BM: Tensor | None = None, source_BM: Tensor | None = None
    ) -> Tensor:
        """See `liax.model.network.LiaX.navigate`."""
        return self.model.navigate(z_BD, a_BM, start_BM, source_BM)

    @torch.inference_mode()
    def decode(self, z_BD: Tensor, features: Sequence[Tensor]) -> list[Picture]:
        """The pictures, uint8 S×S×C, of navigated codes, from maps of the same batch or of batch 1."""
        return from_model(self.model.decode(z_BD, features))


def choose_device(device: str) -> str:
    """The device to compute on: `auto` is the GPU where there is one. Raises UserError for one that is not there."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if device == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if available[name])
    kind = device.partition(":")[0]
    if not available.get(kind, False):
        there = ", ".join(name for name, is_there in available.items() if is_there)
        raise UserError(f"no device {device} on this machine; there is {there}")
    return device
