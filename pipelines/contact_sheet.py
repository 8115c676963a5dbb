"""The contact sheet: one picture with many previews, to look the result over in a minute."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipelines.previews import FRAME_WIDTH_PX, HEIGHT_PX

LABEL_PX, GAP_PX, BACKGROUND = 34, 8, 18
CELL_WIDTH_PX = FRAME_WIDTH_PX + HEIGHT_PX
LETTERS_A_LINE = 62


def contact_sheet(cells: Sequence[tuple[bytes, str, str]], columns: int = 4) -> bytes:
    """Lay previews out on a grid.

    Args:
        cells: (preview JPEG, first line, second line) each.
        columns: previews side by side.

    Returns:
        A PNG file.
    """
    import cv2

    rows = max(1, -(-len(cells) // columns))
    height_px = rows * (HEIGHT_PX + LABEL_PX + GAP_PX) + GAP_PX
    width_px = columns * (CELL_WIDTH_PX + GAP_PX) + GAP_PX
    sheet = np.full((height_px, width_px, 3), BACKGROUND, dtype=np.uint8)
    for place, (jpeg, *lines) in enumerate(cells):
        top = GAP_PX + (place // columns) * (HEIGHT_PX + LABEL_PX + GAP_PX)
        left = GAP_PX + (place % columns) * (CELL_WIDTH_PX + GAP_PX)
        sheet[top : top + HEIGHT_PX, left : left + CELL_WIDTH_PX] = _decode(jpeg)
        for number, line in enumerate(lines):
            at = (left, top + HEIGHT_PX + 13 + 15 * number)
            text = line.encode("ascii", "replace").decode()[:LETTERS_A_LINE]
            cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (225, 225, 225), 1, cv2.LINE_AA)
    return bytes(cv2.imencode(".png", sheet[..., ::-1])[1])


def _decode(jpeg: bytes) -> NDArray[np.uint8]:
    import cv2

    picture = cv2.imdecode(np.frombuffer(jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None, "a preview is a JPEG that this program wrote"
    return np.asarray(picture[..., ::-1], dtype=np.uint8)
