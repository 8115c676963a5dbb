"""Clips kept on a machine's disk: read once, within a limit, never wrong."""

from concurrent.futures import ThreadPoolExecutor
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
    return [file for file in folder.rglob("*") if file.is_file() and file.name != "bytes"]


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


def size_of(shards: ShardSet) -> int:
    """The largest file that a clip makes."""
    return max(ref.sample.offsets["mp4"][1] for ref in shards.samples) + 32


def total(folder: Path) -> int:
    return sum(file.stat().st_size for file in kept(folder))


def test_the_limit_is_held_and_what_was_read_last_stays(shards: Counting, tmp_path: Path) -> None:
    limit = 4 * size_of(shards)
    cache = ClipCache(shards, str(tmp_path / "cache"), limit)
    for ref in shards.samples:
        cache.read(ref, "mp4")
        cache.read(shards.samples[0], "mp4")
        assert total(tmp_path / "cache") <= limit
    assert shards.reads == len(shards.samples)  # the first one was never removed


def test_the_limit_is_of_all_processes_together(shards: Counting, tmp_path: Path) -> None:
    limit = 3 * size_of(shards)
    caches = [ClipCache(shards, str(tmp_path / "cache"), limit) for _ in range(3)]
    for turn in range(4):
        for number, ref in enumerate(shards.samples):
            caches[(turn + number) % 3].read(ref, "mp4")
            assert 0 < total(tmp_path / "cache") <= limit


def test_many_may_write_at_once(shards: Counting, tmp_path: Path) -> None:
    limit, wrong = 2 * size_of(shards), []

    def read_all(turn: int) -> None:
        cache = ClipCache(ShardSet(shards.url), str(tmp_path / "cache"), limit)
        for number in range(30):
            ref = shards.samples[(number + turn) % len(shards.samples)]
            if cache.read(ref, "mp4") != shards.read(ref, "mp4"):
                wrong.append(ref.sample.key)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(read_all, range(4)))
    assert not wrong
    assert 0 < total(tmp_path / "cache") <= limit


@pytest.mark.parametrize("account", [b"", b"nonsense", b"99999999999999999999"])
def test_a_wrong_account_is_corrected(shards: Counting, tmp_path: Path, account: bytes) -> None:
    cache = ClipCache(shards, str(tmp_path / "cache"), 10 * size_of(shards))
    cache.read(shards.samples[0], "mp4")
    (tmp_path / "cache" / "bytes").write_bytes(account)
    for ref in shards.samples[1:]:
        cache.read(ref, "mp4")
    assert int((tmp_path / "cache" / "bytes").read_bytes()) == total(tmp_path / "cache")
    assert len(kept(tmp_path / "cache")) == len(shards.samples)


def test_what_a_killed_writer_left_goes_when_room_is_made(shards: Counting, tmp_path: Path) -> None:
    limit = 2 * size_of(shards)
    cache = ClipCache(shards, str(tmp_path / "cache"), limit)
    cache.read(shards.samples[0], "mp4")
    (tmp_path / "cache" / "00").mkdir(exist_ok=True)
    left = tmp_path / "cache" / "00" / ".00abc.xyz.part"
    left.write_bytes(bytes(10))
    for ref in shards.samples:
        cache.read(ref, "mp4")
    assert not left.exists()


def test_a_clip_larger_than_the_limit_is_read_and_not_kept(shards: Counting, tmp_path: Path) -> None:
    cache = ClipCache(shards, str(tmp_path / "cache"), 100)
    for _ in range(2):
        assert cache.read(shards.samples[0], "mp4") == ShardSet(shards.url).read(shards.samples[0], "mp4")
    assert shards.reads == 2
    assert not kept(tmp_path / "cache")


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
