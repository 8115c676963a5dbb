"""Pictures side by side."""

import cv2
import numpy as np
import torch

from liax.tracking.grids import grid_png


def test_grid_has_a_column_a_batch_and_a_row_a_picture() -> None:
    red, blue = torch.full((2, 3, 4, 6), -1.0), torch.full((2, 3, 4, 6), -1.0)
    red[:, 0], blue[:, 2] = 1, 5
    picture = cv2.imdecode(np.frombuffer(grid_png([red, blue, red]), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert picture.shape == (8, 18, 3)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert picture[7, 8].tolist() == [0, 0, 255]
