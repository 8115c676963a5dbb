"""What a training step is given. A file of its own, so that the step needs none of the libraries that decode videos."""

from typing import TypedDict

from torch import Tensor


class PairBatch(TypedDict):
    """Source and driving frames, float32 B×3×H×W in [-1, 1]; without the B when it is one pair."""

    source: Tensor
    driving: Tensor
