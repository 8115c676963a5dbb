"""What the model does now, on the same few pairs every time. Shapes: B pairs, C = 3 channels, H W pixels."""

import math

import cv2
import numpy as np
import torch
from torch import Tensor

from liax.data.batch import PairBatch
from liax.model.decoder import Climb
from liax.model.network import LiaX
from liax.tracking.grids import grid_png


def preview(current_BCHW: Tensor, average: LiaX, pairs: PairBatch) -> bytes:
    """A PNG with a row a pair: source | driving | result | flow | mask | result of the averaged weights.

    Flow and mask are the averaged network's at full size. The flow's hue is its direction, its brightness its length,
    full at a quarter of the picture's side.

    Args:
        current_BCHW: results of the weights in training.
        average: the averaged network.
        pairs: that both were given.
    """
    result_BCHW, flow_B2HW, mask_B1HW = warped(average, pairs["source"], pairs["driving"])
    mask_BCHW = (mask_B1HW * 2 - 1).expand(-1, 3, -1, -1)
    return grid_png([pairs["source"], pairs["driving"], current_BCHW, coloured(flow_B2HW), mask_BCHW, result_BCHW])


@torch.no_grad()
def warped(model: LiaX, source_BCHW: Tensor, driving_BCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The result and, of the decoder's last level, its offsets B×2×H×W (2 is the picture's side) and mask B×1×H×W."""
    found: list[Climb] = []
    hook = model.decoder.levels[-1].register_forward_hook(lambda module, inputs, output: found.append(output))
    try:
        result_BCHW = model(source_BCHW, driving_BCHW)[0]
    finally:
        hook.remove()
    flow_B3HW = found[0].flow_B3HW
    return result_BCHW, torch.tanh(flow_B3HW[:, :2]), torch.sigmoid(flow_B3HW[:, 2:])


def coloured(flow_B2HW: Tensor) -> Tensor:
    """Offsets as pictures B×3×H×W in [-1, 1]: hue by direction, brightness by length."""
    x_BHW, y_BHW = flow_B2HW.float().cpu().numpy().transpose(1, 0, 2, 3)
    hue_BHW = (np.arctan2(y_BHW, x_BHW) + math.pi) / (2 * math.pi) * 179
    value_BHW = np.clip(np.hypot(x_BHW, y_BHW) * 2, 0, 1) * 255
    hsv_BHWC = np.stack([hue_BHW, np.full_like(hue_BHW, 255), value_BHW], axis=-1).astype(np.uint8)
    rgb_BHWC = np.stack([cv2.cvtColor(hsv_HWC, cv2.COLOR_HSV2RGB) for hsv_HWC in hsv_BHWC])
    return torch.from_numpy(rgb_BHWC).permute(0, 3, 1, 2).to(flow_B2HW.device).float() / 127.5 - 1
