"""What the model does now, on the same few pairs every time. Shapes: B pairs, C = 3 channels, H W pixels."""

import torch
from torch import Tensor

from liax.data.dataset import PairBatch
from liax.losses.reconstruction import l1
from liax.model.network import LiaX
from liax.tracking.grids import grid_png


@torch.no_grad()
def preview(current: LiaX, average: LiaX, pairs: PairBatch) -> tuple[bytes, dict[str, float]]:
    """A picture of source | driving | result | result of the averaged weights, and the average's reconstruction error.

    Returns:
        A PNG file with a row a pair; `val/l1`, and `val/l1_copy`, the error of showing the source unchanged.
    """
    results: list[Tensor] = []
    for model in (current, average):
        training = model.training
        results.append(model.eval()(pairs["source"], pairs["driving"])[0])
        model.train(training)
    numbers = {
        "val/l1": l1(results[1], pairs["driving"]).item(),
        "val/l1_copy": l1(pairs["source"], pairs["driving"]).item(),
    }
    return grid_png([pairs["source"], pairs["driving"], *results]), numbers
