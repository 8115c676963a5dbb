"""Pictures at the edges of the model: uint8 RGB from and to picture files, and between that and the model's range.

Legend: B batch, C colours, H W pixels.
"""

import io
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from liax import storage
from liax.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

Picture = NDArray[np.uint8]
LEAST_SIDE_PX = 4
"""Smaller pictures show nothing, and have no square of even sides to be seen."""

ORIENTATION_TAG = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by the value of its EXIF orientation."""

WRITTEN: dict[str, tuple[str, dict[str, int]]] = {
    ".png": ("PNG", {}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95}),
}
"""Endings of the files that are written, Pillow's name of their format, and its options."""


def load_picture(path: str | Path) -> Picture:
    """A picture file as it is meant to be seen: uint8 H×W×3 RGB.

    Turned upright as its EXIF data say; transparent parts over white (our choice: as on paper); grey and 16-bit
    pictures by fixed scale, never by their own minimum and maximum; of an animation the first picture.

    Raises:
        UserError: there is no such file, it is no picture that Pillow reads, or less than LEAST_SIDE_PX wide or high.
    """
    if not Path(path).is_file():
        raise UserError(f"no such file: {path}")
    try:
        # Pillow warns of damaged metadata and of large pictures, which it reads all the same.
        with warnings.catch_warnings(action="ignore"), Image.open(path) as opened:
            opened.load()
            picture_HWC = np.array(_to_rgb(_upright(opened)), dtype=np.uint8)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise UserError(f"{path} is not a readable picture; give a JPEG, PNG or WebP file") from None
    height_px, width_px = picture_HWC.shape[:2]
    if min(height_px, width_px) < LEAST_SIDE_PX:
        raise UserError(f"{path} has {width_px}x{height_px} pixels, which show nothing: give a larger picture")
    return picture_HWC


def save_picture(picture_HWC: Picture, path: str | Path) -> None:
    """Write uint8 H×W×3 RGB as a picture file, as a whole or not at all; its folder is made.

    Args:
        path: its ending, one of `WRITTEN`, decides the format.

    Raises:
        UserError: another ending, or the file cannot be written.
    """
    path = Path(path)
    check_picture_name(path)
    storage.make_folder(str(path.parent))
    file_format, options = WRITTEN[path.suffix.lower()]
    buffer = io.BytesIO()
    try:
        Image.fromarray(picture_HWC).save(buffer, file_format, **options)
        storage.write_bytes(str(path), buffer.getvalue())
    except (OSError, ValueError) as error:
        raise UserError(f"cannot write {path}: {error}; choose another name or a .png") from None


def check_picture_name(path: str | Path) -> None:
    """Raise UserError unless a picture can be written under this name."""
    if Path(path).suffix.lower() not in WRITTEN:
        raise UserError(f"{path} cannot be written: give a name that ends in {', '.join(WRITTEN)}")


def _upright(picture: Image.Image) -> Image.Image:
    """The picture turned as its EXIF data say; as it is where they are damaged."""
    # Not by Pillow's own exif_transpose, which writes all the tags anew and fails at any that is damaged.
    try:
        turn = TURNS.get(picture.getexif().get(ORIENTATION_TAG, 1))
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):
        turn = None
    return picture if turn is None else picture.transpose(turn)


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16-bit grey, which Pillow may hold in 32 bits
        grey_HW = np.clip(np.asarray(picture, dtype=np.float64) / 257, 0, 255).round().astype(np.uint8)
        picture = Image.fromarray(grey_HW)
    elif picture.mode == "F":
        raise ValueError("a floating-point picture has no fixed scale")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    return picture.convert("RGB")


def to_model(pictures: Sequence[Picture], device: str = "cpu") -> "Tensor":
    """uint8 H×W×3 RGB pictures of one size as a float32 batch B×3×H×W in [-1, 1]."""
    import torch

    batch_BHWC = torch.from_numpy(np.stack(pictures)).to(device)
    return batch_BHWC.permute(0, 3, 1, 2).float() / 127.5 - 1


def from_model(batch_BCHW: "Tensor") -> list[Picture]:
    """The model's pictures as uint8 H×W×3 RGB; what lies outside [-1, 1] is clipped."""
    import torch

    scaled_BCHW = ((batch_BCHW.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return list(scaled_BCHW.permute(0, 2, 3, 1).contiguous().cpu().numpy())
