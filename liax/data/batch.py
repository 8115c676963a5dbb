"""What a training step is given. A file of its own, so that the step needs none of the libraries that decode videos.

Shapes: B pairs, H W pixels, C = 3 colours RGB.
"""

from dataclasses import dataclass
from typing import TypedDict

import torch
from torch import Tensor


class PairBatch(TypedDict):
    """Source and driving frames, float32 B×3×H×W in [-1, 1]; without the B when it is one pair."""

    source: Tensor
    driving: Tensor


@dataclass(frozen=True, slots=True)
class PictureBatch:
    """The same as they were decoded, uint8 B×H×W×3: a quarter of the bytes to move between processes and to a GPU."""

    source_BHWC: Tensor
    driving_BHWC: Tensor

    def to_model(self, device: torch.device, order: torch.memory_format = torch.contiguous_format) -> PairBatch:
        """As the model takes them, on its device; converted there."""
        source, driving = (
            (pictures_BHWC.to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 127.5 - 1)
            for pictures_BHWC in (self.source_BHWC, self.driving_BHWC)
        )
        return PairBatch(source=source.contiguous(memory_format=order), driving=driving.contiguous(memory_format=order))


@dataclass(frozen=True, slots=True)
class StepData:
    """One worker's part of a step."""

    micro_batches: list[PictureBatch]
    unreadable: int
    """Pairs that others stand in for, because their clip could not be decoded."""
