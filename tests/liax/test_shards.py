import io
import tarfile
from pathlib import Path

import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st

from liax.errors import UserError
from liax.shards import ShardSet, commit_shard, load_commits, write_tar
from tests.samples import make_sample


def pack(path: Path, keys: list[str]) -> list:
    samples = [make_sample(key, video=key.encode() * 700) for key in keys]
    return write_tar(path, [(sample.info, sample.members()) for sample in samples])


def test_committed_samples_are_read_by_range(tmp_path: Path) -> None:
    url = str(tmp_path / "set")
    for shard, keys in enumerate([["d", "b"], ["a", "c"]]):
        tar = tmp_path / f"{shard}.tar"
        assert commit_shard(url, shard, tar, pack(tar, keys))
    shards = ShardSet(url)
    assert [ref.sample.key for ref in shards.samples] == ["a", "b", "c", "d"]
    for ref in shards.samples:
        assert shards.read(ref, "mp4") == ref.sample.key.encode() * 700
        assert shards.read(ref, "json") == make_sample(ref.sample.key, video=b"").info.to_bytes()


def test_the_second_commit_of_a_shard_changes_nothing(tmp_path: Path) -> None:
    url = str(tmp_path / "set")
    first, second = tmp_path / "1.tar", tmp_path / "2.tar"
    assert commit_shard(url, 0, first, pack(first, ["a"]))
    assert not commit_shard(url, 0, second, pack(second, ["b"]))
    assert [ref.sample.key for ref in ShardSet(url).samples] == ["a"]


def test_a_tar_without_a_commit_does_not_exist(tmp_path: Path) -> None:
    pack(tmp_path / "x.tar", ["a"])
    with pytest.raises(UserError, match="no committed shards under"):
        ShardSet(str(tmp_path))


def test_a_damaged_commit_is_named(tmp_path: Path) -> None:
    (tmp_path / "commits").mkdir()
    (tmp_path / "commits" / "00000.json").write_text("{")
    with pytest.raises(UserError, match=r"00000\.json is not a commit record"):
        load_commits(str(tmp_path))


def test_plain_webdataset_reads_a_shard(tmp_path: Path) -> None:
    pack(tmp_path / "x.tar", ["a", "b"])
    samples = list(webdataset.WebDataset(str(tmp_path / "x.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == ["a", "b"]
    assert all({"json", "mp4", "npz"} <= set(sample) for sample in samples)


@settings(max_examples=25)
@given(st.lists(st.from_regex(r"[0-9a-f]{1,20}", fullmatch=True), min_size=1, max_size=5, unique=True))
def test_bytes_depend_on_the_samples_alone_and_offsets_are_true(keys: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        first, second = Path(name) / "1.tar", Path(name) / "2.tar"
        written = pack(first, keys)
        pack(second, keys)
        data = first.read_bytes()
        assert data == second.read_bytes()
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for sample in written:
                for extension, (start, length) in sample.offsets.items():
                    member = tar.extractfile(f"{sample.key}.{extension}")
                    assert member is not None
                    assert data[start : start + length] == member.read()
