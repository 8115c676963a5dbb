"""Clips kept on a machine's disk: read once, within a limit, never wrong."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from liax.data import clip_cache
from liax.data.clip_cache import ClipCache
from liax.data.clip_table import ClipPlace, ClipTable, TarReader
from liax.errors import StorageError
from liax.shards import ShardSet
from tests.moving_shapes import write_shapes


class Counting(TarReader):
    """Reads the clips of a set, and counts how often."""

    def __init__(self, shards: ShardSet) -> None:
        self.clips = list(ClipTable(shards.samples))
        self.reads = 0

    def read(self, clip: ClipPlace) -> bytes:
        self.reads += 1
        return super().read(clip)


@pytest.fixture
def tars(tmp_path: Path) -> Counting:
    return Counting(ShardSet(write_shapes(tmp_path / "shards", clips=6)))


def kept(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and file.name != "bytes"]


def test_a_clip_is_fetched_once_by_all_processes(tars: Counting, tmp_path: Path) -> None:
    clip = tars.clips[0]
    for _ in range(2):
        cache = ClipCache(tars, str(tmp_path / "cache"), 10**9)
        assert cache.read(clip) == cache.read(clip) == TarReader().read(clip)
    assert tars.reads == 1


def test_a_damaged_copy_is_fetched_anew(tars: Counting, tmp_path: Path) -> None:
    cache, clip = ClipCache(tars, str(tmp_path / "cache"), 10**9), tars.clips[0]
    wanted = cache.read(clip)
    (file,) = kept(tmp_path / "cache")
    for damaged in (b"", b"short", file.read_bytes()[:-1] + b"x", file.read_bytes()[:-100]):
        file.write_bytes(damaged)
        assert cache.read(clip) == wanted
    assert tars.reads == 5


def size_of(tars: Counting) -> int:
    """The largest file that a clip makes."""
    return max(clip.length for clip in tars.clips) + 32


def total(folder: Path) -> int:
    return sum(file.stat().st_size for file in kept(folder))


def test_the_limit_is_held_and_what_was_read_last_stays(tars: Counting, tmp_path: Path) -> None:
    limit = 4 * size_of(tars)
    cache = ClipCache(tars, str(tmp_path / "cache"), limit)
    for clip in tars.clips:
        cache.read(clip)
        cache.read(tars.clips[0])
        assert total(tmp_path / "cache") <= limit
    assert tars.reads == len(tars.clips)  # the first one was never removed


def test_the_limit_is_of_all_processes_together(tars: Counting, tmp_path: Path) -> None:
    limit = 3 * size_of(tars)
    caches = [ClipCache(tars, str(tmp_path / "cache"), limit) for _ in range(3)]
    for turn in range(4):
        for number, clip in enumerate(tars.clips):
            caches[(turn + number) % 3].read(clip)
            assert 0 < total(tmp_path / "cache") <= limit


def test_many_may_write_at_once(tars: Counting, tmp_path: Path) -> None:
    limit, wrong = 2 * size_of(tars), []

    def read_all(turn: int) -> None:
        cache = ClipCache(TarReader(), str(tmp_path / "cache"), limit)
        for number in range(30):
            clip = tars.clips[(number + turn) % len(tars.clips)]
            if cache.read(clip) != TarReader().read(clip):
                wrong.append(clip.key)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(read_all, range(4)))
    assert not wrong
    assert 0 < total(tmp_path / "cache") <= limit


@pytest.mark.parametrize("account", [b"", b"nonsense", b"99999999999999999999"])
def test_a_wrong_account_is_corrected(tars: Counting, tmp_path: Path, account: bytes) -> None:
    cache = ClipCache(tars, str(tmp_path / "cache"), 10 * size_of(tars))
    cache.read(tars.clips[0])
    (tmp_path / "cache" / "bytes").write_bytes(account)
    for clip in tars.clips[1:]:
        cache.read(clip)
    assert int((tmp_path / "cache" / "bytes").read_bytes()) == total(tmp_path / "cache")
    assert len(kept(tmp_path / "cache")) == len(tars.clips)


def test_what_a_killed_writer_left_goes_when_room_is_made(tars: Counting, tmp_path: Path) -> None:
    limit = 2 * size_of(tars)
    cache = ClipCache(tars, str(tmp_path / "cache"), limit)
    cache.read(tars.clips[0])
    (tmp_path / "cache" / "00").mkdir(exist_ok=True)
    left = tmp_path / "cache" / "00" / ".00abc.xyz.part"
    left.write_bytes(bytes(10))
    for clip in tars.clips:
        cache.read(clip)
    assert not left.exists()


def test_a_clip_larger_than_the_limit_is_read_and_not_kept(tars: Counting, tmp_path: Path) -> None:
    cache = ClipCache(tars, str(tmp_path / "cache"), 100)
    for _ in range(2):
        assert cache.read(tars.clips[0]) == TarReader().read(tars.clips[0])
    assert tars.reads == 2
    assert not kept(tmp_path / "cache")


def test_a_disk_that_is_full_costs_one_line(
    tars: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path) -> None:
        raise StorageError("cannot write it: No space left on device")

    monkeypatch.setattr(clip_cache.local_files, "beside", full)
    cache = ClipCache(tars, str(tmp_path / "cache"), 10**9)
    for clip in tars.clips:
        assert cache.read(clip)
    assert capsys.readouterr().out.count("clips are not kept on this machine's disk any more") == 1
