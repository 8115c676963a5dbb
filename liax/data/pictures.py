"""The one place where pictures change between uint8 at the edges and float inside. Shapes: H W pixels, C = 3 RGB."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_model(picture_HWC: NDArray[np.uint8]) -> Tensor:
    """uint8 H×W×3 to float32 3×H×W; 0 becomes -1 and 255 becomes 1, whatever else is in the picture."""
    return torch.from_numpy(np.ascontiguousarray(picture_HWC)).permute(2, 0, 1).contiguous().float() / 127.5 - 1


def from_model(picture_CHW: Tensor) -> NDArray[np.uint8]:
    """The reverse of `to_model`, rounded; values outside [-1, 1] are clipped."""
    scaled_CHW = (picture_CHW.detach().float().cpu() + 1) * 127.5
    return scaled_CHW.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
