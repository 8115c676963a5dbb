"""Pictures of every kind come in as the same uint8 RGB, and pass through the model's range unchanged."""

import struct
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from liax.errors import UserError
from liax.pictures import from_model, load_picture, save_picture, to_model

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
    ("P", 0, (0, 0, 0)),
])  # fmt: skip
def test_every_kind_of_picture_becomes_rgb(tmp_path: Path, mode: str, fill: object, expected: tuple[int, ...]) -> None:
    Image.new(mode, (6, 4), fill).save(tmp_path / "p.png")  # type: ignore[arg-type]
    loaded = load_picture(tmp_path / "p.png")
    assert loaded.dtype == np.uint8
    assert loaded.shape == (4, 6, 3)
    assert tuple(loaded[0, 0]) == expected


@pytest.mark.parametrize("name", ["cmyk.jpg", "cmyk.tif", "palette.gif", "transparent.png", "rgb16.png"])
def test_rarer_files_become_rgb_too(tmp_path: Path, name: str) -> None:
    picture, path = Image.new("RGB", (8, 6), RED), tmp_path / name
    if name.startswith("cmyk"):
        picture.convert("CMYK").save(path)
    elif name == "transparent.png":
        palette = picture.convert("P", palette=Image.Palette.ADAPTIVE)
        palette.save(path, transparency=palette.getpixel((0, 0)))
    elif name == "rgb16.png":
        cv2.imwrite(str(path), np.full((6, 8, 3), RED[::-1], np.uint16) * 257)
    else:
        picture.save(path)
    expected = (255, 255, 255) if name == "transparent.png" else RED
    assert np.abs(load_picture(path).astype(int) - expected).max() <= 2


def test_every_rotation_is_undone(tmp_path: Path) -> None:
    upright = np.random.default_rng(0).integers(0, 255, (6, 10, 3), np.uint8)
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }
    for orientation, turned in stored.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(np.ascontiguousarray(turned)).save(tmp_path / "p.png", exif=exif)
        assert np.array_equal(load_picture(tmp_path / "p.png"), upright), orientation


def test_damaged_metadata_do_not_matter(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    Image.new("RGB", (8, 6), RED).save(tmp_path / "p.png", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert tuple(load_picture(tmp_path / "p.png")[0, 0]) == RED
    assert not recwarn.list


def damaged_tag(orientation: int) -> bytes:
    """EXIF data with an orientation, and a resolution that is a text, not a number."""
    entries = struct.pack("<HHII", 0x0112, 3, 1, orientation), struct.pack("<HHI4s", 0x011A, 2, 1, b"text")
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + b"".join(entries) + bytes(4)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_a_damaged_tag_does_not_keep_a_picture_from_being_turned(tmp_path: Path, ending: str) -> None:
    Image.new("RGB", (8, 6), RED).save(tmp_path / f"p.{ending}", exif=damaged_tag(6))
    assert load_picture(tmp_path / f"p.{ending}").shape == (8, 6, 3)


@settings(max_examples=300)
@given(st.binary(max_size=80))
def test_any_metadata_leave_a_picture_readable(tail: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Image.new("RGB", (6, 6), RED).save(f"{folder}/p.png", exif=b"Exif\0\0II*\0\x08\0\0\0\x04\0" + tail)
        assert load_picture(f"{folder}/p.png").shape == (6, 6, 3)


@pytest.mark.parametrize("size_px", [(1, 1), (100, 1), (3, 8)])
def test_a_picture_of_a_few_pixels_is_refused(tmp_path: Path, size_px: tuple[int, int]) -> None:
    Image.new("RGB", size_px, RED).save(tmp_path / "p.png")
    with pytest.raises(UserError, match=f"p.png has {size_px[0]}x{size_px[1]} pixels"):
        load_picture(tmp_path / "p.png")


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


@pytest.mark.parametrize("ending", ["png", "jpg", "JPEG", "webp"])
def test_what_is_saved_is_loaded(tmp_path: Path, ending: str) -> None:
    picture = np.full((40, 30, 3), RED, np.uint8)
    picture[20:] = 90
    path = tmp_path / "made" / f"p.{ending}"
    save_picture(picture, path)
    with Image.open(path) as opened:
        assert opened.format == {"png": "PNG", "webp": "WEBP"}.get(ending, "JPEG")
    assert np.abs(load_picture(path).astype(int) - picture).mean() <= (0 if ending == "png" else 2)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_what_cannot_be_saved_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    for name in ("p.gif", "p", "p.mp4"):
        with pytest.raises(UserError, match=r"ends in \.png, \.jpg, \.jpeg, \.webp"):
            save_picture(picture, tmp_path / name)
    with pytest.raises(UserError, match=r"cannot write .*wide\.webp"):
        save_picture(np.zeros((1, 20_000, 3), np.uint8), tmp_path / "wide.webp")  # WebP ends at 16383
    assert list(tmp_path.iterdir()) == []


def test_model_range_and_back() -> None:
    picture = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    batch = to_model([picture, 255 - picture])
    assert batch.shape == (2, 3, 16, 16)
    assert (batch.min(), batch.max()) == (-1, 1)
    back = from_model(batch)
    assert np.array_equal(back[0], picture)
    assert np.array_equal(back[1], 255 - picture)
    assert from_model(batch * 3)[0].max() == 255
