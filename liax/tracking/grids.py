"""Pictures side by side in one PNG file. Shapes: B pictures, C = 3 channels RGB, H W pixels."""

from collections.abc import Sequence

import cv2
import numpy as np
from torch import Tensor

from liax.pictures import from_model


def grid_png(columns_BCHW: Sequence[Tensor]) -> bytes:
    """A PNG with a column for each batch and a row for each of its pictures.

    Args:
        columns_BCHW: batches of equal shape in [-1, 1]; values outside are clipped.
    """
    columns = [np.concatenate(from_model(column)) for column in columns_BCHW]
    rgb_HWC = np.concatenate(columns, axis=1)
    done, data = cv2.imencode(".png", rgb_HWC[:, :, ::-1])
    assert done  # PNG encodes any uint8 picture
    return data.tobytes()
