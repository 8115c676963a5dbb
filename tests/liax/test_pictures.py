"""Pictures of every kind come in as the same uint8 RGB, and pass through the model's range unchanged."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from liax.errors import UserError
from liax.pictures import from_model, load_picture, to_model

RED = (200, 30, 10)


def test_exif_rotation_is_applied(tmp_path: Path) -> None:
    picture = Image.new("RGB", (40, 20), "blue")
    picture.paste(RED, (0, 0, 20, 20))  # the left half
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise: left becomes top
    picture.save(tmp_path / "p.png", exif=exif)
    loaded = load_picture(tmp_path / "p.png")
    assert loaded.shape == (40, 20, 3)
    assert tuple(loaded[5, 10]) == RED
    assert tuple(loaded[35, 10]) == (0, 0, 255)


@pytest.mark.parametrize(("mode", "fill", "expected"), [
    ("L", 77, (77, 77, 77)),
    ("RGBA", (200, 30, 10, 0), (255, 255, 255)),
    ("RGBA", (200, 30, 10, 255), RED),
    ("LA", (100, 255), (100, 100, 100)),
    ("I;16", 257 * 100, (100, 100, 100)),
    ("1", 1, (255, 255, 255)),
])  # fmt: skip
def test_every_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str, fill: object, expected: tuple[int, ...]) -> None:
    Image.new(mode, (6, 4), fill).save(tmp_path / "p.png")  # type: ignore[arg-type]
    loaded = load_picture(tmp_path / "p.png")
    assert loaded.dtype == np.uint8
    assert loaded.shape == (4, 6, 3)
    assert tuple(loaded[0, 0]) == expected


def test_brightness_does_not_depend_on_the_picture(tmp_path: Path) -> None:
    dark = np.full((4, 4), 257 * 10, np.uint16)
    Image.fromarray(dark).save(tmp_path / "dark.png")
    assert load_picture(tmp_path / "dark.png").max() == 10


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe0broken"])
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.jpg").write_bytes(content)
    with pytest.raises(UserError, match=r"p\.jpg is not a readable picture"):
        load_picture(tmp_path / "p.jpg")
    with pytest.raises(UserError, match="no such file"):
        load_picture(tmp_path / "absent.jpg")


def test_a_cut_off_picture_is_refused(tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "p.png")
    whole = (tmp_path / "p.png").read_bytes()
    (tmp_path / "p.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="not a readable picture"):
        load_picture(tmp_path / "p.png")


def test_model_range_and_back() -> None:
    picture = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    batch = to_model([picture, 255 - picture])
    assert batch.shape == (2, 3, 16, 16)
    assert (batch.min(), batch.max()) == (-1, 1)
    back = from_model(batch)
    assert np.array_equal(back[0], picture)
    assert np.array_equal(back[1], 255 - picture)
    assert from_model(batch * 3)[0].max() == 255
