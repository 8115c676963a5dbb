"""Clips kept on a machine's disk: read once, within a limit, never wrong."""

from pathlib import Path

import pytest

from liax.data import clip_cache
from liax.data.clip_cache import ClipCache
from liax.errors import StorageError
from liax.shards import SampleRef, ShardSet
from tests.moving_shapes import write_shapes


class Counting(ShardSet):
    """Counts what is read of the set itself."""

    reads = 0

    def read(self, ref: SampleRef, extension: str) -> bytes:
        self.reads += 1
        return super().read(ref, extension)


@pytest.fixture
def shards(tmp_path: Path) -> Counting:
    return Counting(write_shapes(tmp_path / "shards", clips=6))


def kept(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def test_a_clip_is_fetched_once_by_all_processes(shards: Counting, tmp_path: Path) -> None:
    ref = shards.samples[0]
    for _ in range(2):
        cache = ClipCache(shards, str(tmp_path / "cache"), 10**9)
        assert cache.read(ref, "mp4") == cache.read(ref, "mp4") == ShardSet(shards.url).read(ref, "mp4")
    assert shards.reads == 1


def test_a_damaged_copy_is_fetched_anew(shards: Counting, tmp_path: Path) -> None:
    cache, ref = ClipCache(shards, str(tmp_path / "cache"), 10**9), shards.samples[0]
    wanted = cache.read(ref, "mp4")
    (file,) = kept(tmp_path / "cache")
    for damaged in (b"", b"short", file.read_bytes()[:-1] + b"x", file.read_bytes()[:-100]):
        file.write_bytes(damaged)
        assert cache.read(ref, "mp4") == wanted
    assert shards.reads == 5


def test_the_limit_is_held_and_what_was_read_last_stays(
    shards: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_cache, "_LOOK_EVERY_S", 0.0)
    size = max(len(ShardSet(shards.url).read(ref, "mp4")) for ref in shards.samples) + 32
    cache = ClipCache(shards, str(tmp_path / "cache"), 4 * size)
    for ref in shards.samples:
        cache.read(ref, "mp4")
        cache.read(shards.samples[0], "mp4")
        assert sum(file.stat().st_size for file in kept(tmp_path / "cache")) <= 4 * size
    assert shards.reads == len(shards.samples)  # the first one was never removed


def test_a_disk_that_is_full_costs_one_line(
    shards: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path) -> None:
        raise StorageError("cannot write it: No space left on device")

    monkeypatch.setattr(clip_cache.local_files, "beside", full)
    cache = ClipCache(shards, str(tmp_path / "cache"), 10**9)
    for ref in shards.samples:
        assert cache.read(ref, "mp4")
    assert capsys.readouterr().out.count("clips are not kept on this machine's disk any more") == 1
