"""A network made ready to be used on one device: pictures in, codes and pictures out.

Legend: B batch, S side in pixels, C colours, D style width, M directions.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from liax.errors import UserError
from liax.inference.graphs import Call, graphed
from liax.inference.precision import choose_device, choose_dtype
from liax.model.config import ModelConfig
from liax.model.frozen import freeze
from liax.model.network import LiaX
from liax.pictures import Picture, from_model, to_model

GPU_BATCH = 4
"""Frames that go through a GPU together: enough to fill it with a small model, few enough for a large one's maps."""
CPU_CACHE_BYTES = 4 * 2**20
"""Our choice: the largest maps of the frames that go through a CPU together should fit its caches."""
MOST_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class Encoded:
    """Pictures as the decoder needs them: codes z_BD and motion a_BM in float32, maps of 8, 16, …, S pixels."""

    z_BD: Tensor
    motion_BM: Tensor
    features: list[Tensor]


class Renderer:
    """A network for inference (see `liax.model.frozen`) on one device. Nothing it does keeps gradients.

    `batch` frames go through together. On a CPU that is one, unless the maps are small: larger ones then stay in the
    caches, and the factors of modulation are applied to weights instead of maps. On a CUDA GPU it is a CUDA graph.

    Args:
        model: the network, which the renderer takes over and changes.
        device: as PyTorch names it, or `auto`, a GPU where there is one.
        dtype: see `liax.inference.precision.choose_dtype`.
        compiled: also `torch.compile` the network, which takes long at the first frames and needs a CUDA GPU and a C
            compiler; for long videos.

    Raises:
        UserError: there is no such device or precision, or nothing to compile with.
    """

    def __init__(self, model: LiaX, device: str = "auto", dtype: str = "auto", *, compiled: bool = False) -> None:
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        on_cuda = self.device.startswith("cuda")
        if compiled:
            _check_compiler(on_cuda)
        self.size_px, self.directions = model.config.size_px, model.config.directions
        self.model = freeze(model.to("cpu"), self.dtype).to(self.device)
        self.batch = GPU_BATCH if on_cuda else _cpu_batch(model.config)
        self._motion: Call = lambda pictures: self.model.motion_coefficients(self.model.code(pictures))
        self._decode: Call = lambda z_BD, *features: self.model.decode(z_BD, features)
        if on_cuda:
            self._motion, self._decode = (self._on_gpu(call, compiled) for call in (self._motion, self._decode))

    def _on_gpu(self, call: Call, compiled: bool) -> Call:
        """The call as a graph, compiled if asked, for whole batches; smaller ones, a video's last, are not worth it."""
        whole = graphed(self._tuned(torch.compile(call) if compiled else call))
        other = self._tuned(call)
        return lambda *arguments: (whole if len(arguments[0]) == self.batch else other)(*arguments)

    def _tuned(self, call: Call) -> Call:
        """The call with cuDNN's fastest algorithms for its few shapes; float32 is not rounded to TF32."""

        def tuned(*arguments: Tensor) -> Tensor:
            exact = self.dtype == torch.float32
            with torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=not exact):
                return call(*arguments)

        return tuned

    @torch.inference_mode()
    def encode(self, pictures: Sequence[Picture]) -> Encoded:
        """Source pictures, uint8 S×S×C, for `decode`."""
        parts = [self.model.encode(self._to_model(pictures[piece])) for piece in self._pieces(len(pictures))]
        z_BD = _joined([z_BD for z_BD, _ in parts])
        features = [_joined(maps) for maps in zip(*(features for _, features in parts), strict=True)]
        return Encoded(z_BD, self.model.motion_coefficients(z_BD), features)

    @torch.inference_mode()
    def motion(self, pictures: Sequence[Picture]) -> Tensor:
        """Motion coefficients a_BM, float32, of driving pictures, uint8 S×S×C; cheaper than `encode`."""
        return _joined([self._motion(self._to_model(pictures[piece])) for piece in self._pieces(len(pictures))])

    @torch.inference_mode()
    def navigate(
        self, z_BD: Tensor, a_BM: Tensor, start_BM: Tensor | None = None, source_BM: Tensor | None = None
    ) -> Tensor:
        """See `liax.model.network.LiaX.navigate`."""
        return self.model.navigate(z_BD, a_BM, start_BM, source_BM)

    @torch.inference_mode()
    def decode(self, z_BD: Tensor, features: Sequence[Tensor]) -> list[Picture]:
        """The pictures, uint8 S×S×C, of navigated codes, from maps of the same batch or of batch 1."""
        pictures = []
        for piece in self._pieces(len(z_BD)):
            maps = [feature_BCHW if len(feature_BCHW) == 1 else feature_BCHW[piece] for feature_BCHW in features]
            pictures += from_model(self._decode(z_BD[piece], *maps))
        return pictures

    def _pieces(self, count: int) -> Iterator[slice]:
        return (slice(start, start + self.batch) for start in range(0, count, self.batch))

    def _to_model(self, pictures: Sequence[Picture]) -> Tensor:
        return to_model(pictures, self.device).contiguous(memory_format=torch.channels_last)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _check_compiler(on_cuda: bool) -> None:
    if not on_cuda:
        raise UserError("compiling the network pays on a CUDA GPU only: leave out --compile")
    if not (os.environ.get("CC") or any(shutil.which(name) for name in ("cc", "gcc", "clang"))):
        raise UserError("compiling the network needs a C compiler: install gcc, or leave out --compile")


def _cpu_batch(config: ModelConfig) -> int:
    largest_map_bytes = 4 * config.channels(config.size_px) * config.size_px**2
    return min(max(CPU_CACHE_BYTES // largest_map_bytes, 1), MOST_TOGETHER)
