"""Panels have one size that can be looked at, in the order given."""

import numpy as np
import pytest

from liax.inference.side_by_side import panel_px, side_by_side


@pytest.mark.parametrize(("size_px", "panel"), [(64, 256), (256, 256), (512, 512)])
def test_panels_stand_in_order(size_px: int, panel: int) -> None:
    levels = (10, 90, 200)
    row = side_by_side([np.full((size_px, size_px, 3), level, np.uint8) for level in levels])
    assert panel_px(size_px) == panel
    assert row.shape == (panel, 3 * panel, 3)
    assert [int(row[panel // 2, place * panel + panel // 2, 0]) for place in range(3)] == list(levels)
