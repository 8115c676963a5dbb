from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.main import main
from liax import storage
from liax.errors import JobError, UserError
from liax.shards import ShardSet, commit_shard, load_commits, tar_name, tar_url, write_tar
from pipelines.filtering import FilterConfig, filter_shards
from pipelines.outcomes import KEPT, Outcome
from pipelines.quality import RULES, QualityConfig
from pipelines.run import Run
from pipelines.summary import count
from pipelines.tables import write_tables
from tests.samples import make_sample

OFF = {rule.setting: None for rule in RULES}
SHARPNESS = {"a": 0.2, "b": 0.6, "c": 0.4, "d": 0.8}


def finished_set(url: str, scratch: Path) -> None:
    """A shard set of two shards with four clips of four videos, and its tables."""
    clips = {}
    for shard, keys in enumerate(["ab", "cd"]):
        samples = [make_sample(key, video=key.encode() * 900) for key in keys]
        infos = [s.info.model_copy(update={"scores": {"sharpness": SHARPNESS[s.info.key]}}) for s in samples]
        members = [s.members() | {"json": info.to_bytes()} for s, info in zip(samples, infos, strict=True)]
        tar = scratch / f"{shard}.tar"
        commit_shard(url, shard, tar, write_tar(tar, list(zip(infos, members, strict=True))))
        clips |= {info.key: info for info in infos}
    outcomes = [
        Outcome(source_uri=c.source_uri, source_sha256=c.source_sha256, stage="clips", reason=KEPT, segment=0, track=0,
                start_s=0.0, key=c.key)
        for c in clips.values()
    ]  # fmt: skip
    write_tables(Run(url, "c" * 12), load_commits(url), clips, outcomes)
    summary = count(
        sources=4, source_hours=0.1, segments=4, clips=list(clips.values()), left_out=[], outcomes=outcomes, shards=2,
        seconds={}, quality=QualityConfig(),
    )  # fmt: skip
    storage.write_bytes(storage.join(url, "summary.json"), summary.model_dump_json().encode())


def choose(source: str, target: str, least: float) -> FilterConfig:
    return FilterConfig(input=source, output=target, quality=QualityConfig(**OFF | {"least_sharpness": least}))


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(source: str, target: str) -> None:
    old, new = ShardSet(source), ShardSet(target)
    assert [ref.sample.key for ref in new.samples] == ["b", "d"]
    for ref in new.samples:
        assert new.read(ref, "mp4") == ref.sample.key.encode() * 900
    assert new.set_id != old.set_id


def test_what_passes_is_read_from_the_tars_of_the_input(tmp_path: Path) -> None:
    source, target = tmp_path / "faces", tmp_path / "strict"
    finished_set(str(source), tmp_path)
    summary = filter_shards(choose(str(source), str(target), 0.5))
    check(str(source), str(target))
    assert not list(target.rglob("*.tar"))
    assert summary.clips == 2
    assert summary.sources == 4
    assert summary.outcomes == {"blurred": 2, "kept": 2}

    index = pq.read_table(target / "index.parquet").to_pylist()
    assert [row["key"] for row in index] == ["b", "d"]
    for row in index:
        with Path(tar_url(str(target), row["tar"])).open("rb") as tar:
            tar.seek(row["mp4_offset"])
            assert tar.read(row["mp4_bytes"]) == row["key"].encode() * 900
    rows = pq.read_table(target / "outcomes.parquet").to_pylist()
    assert {row["key"]: row["reason"] for row in rows} == {"a": "blurred", "b": "kept", "c": "blurred", "d": "kept"}


def test_the_same_command_again_gives_the_same_bytes_and_another_is_refused(tmp_path: Path) -> None:
    finished_set(str(tmp_path / "faces"), tmp_path)
    config = choose(str(tmp_path / "faces"), str(tmp_path / "strict"), 0.5)
    filter_shards(config)
    before = files(tmp_path / "strict")
    (tmp_path / "strict" / "commits" / "00001.json").unlink()  # as if it had died before its last record
    filter_shards(config)
    assert files(tmp_path / "strict") == before
    with pytest.raises(UserError, match="holds another choice of clips"):
        filter_shards(choose(config.input, config.output, 0.7))


def test_a_choice_can_be_filtered_again_and_moved_with_its_input(tmp_path: Path) -> None:
    home = tmp_path / "home"
    finished_set(str(home / "faces"), tmp_path)
    filter_shards(choose(str(home / "faces"), str(home / "strict"), 0.3))
    filter_shards(choose(str(home / "strict"), str(home / "deep" / "stricter"), 0.5))
    home.rename(tmp_path / "moved")
    check(str(tmp_path / "moved" / "faces"), str(tmp_path / "moved" / "deep" / "stricter"))


def test_on_s3_and_from_s3_to_a_folder(s3_bucket: str, tmp_path: Path) -> None:
    source = f"{s3_bucket}/filtering/faces"
    finished_set(source, tmp_path)
    for target in (f"{s3_bucket}/filtering/strict", str(tmp_path / "strict")):
        filter_shards(choose(source, target, 0.5))
        check(source, target)


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    source = str(tmp_path / "faces")
    finished_set(source, tmp_path)
    with pytest.raises(UserError, match=r"no score 'jitter': set quality\.most_jitter=null"):
        filter_shards(
            FilterConfig(input=source, output=str(tmp_path / "x"), quality=QualityConfig(**OFF | {"most_jitter": 1}))
        )
    with pytest.raises(UserError, match="must not lie in each other"):
        filter_shards(choose(source, f"{source}/strict", 0.5))
    with pytest.raises(JobError, match=r"none of the 4 clips of .* passes: blurred 4"):
        filter_shards(choose(source, str(tmp_path / "x"), 0.9))
    assert not (tmp_path / "x").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="holds other files"):
        filter_shards(choose(source, str(tmp_path / "full"), 0.5))
    with pytest.raises(UserError, match="no committed shards"):
        filter_shards(choose(str(tmp_path / "nothing"), str(tmp_path / "x"), 0.5))


@pytest.mark.parametrize("table", ["index.parquet", "outcomes.parquet", "summary.json"])
@pytest.mark.parametrize("damage", ["cut short", "changed", "another"])
def test_a_broken_table_is_named(table: str, damage: str, tmp_path: Path) -> None:
    source = tmp_path / "faces"
    finished_set(str(source), tmp_path)
    data = (source / table).read_bytes()
    changed = bytes(byte ^ 0xFF for byte in data[4:300]) if damage == "changed" else b""
    broken = {"cut short": data[: len(data) // 2], "changed": data[:4] + changed + data[300:], "another": b"[]"}
    (source / table).write_bytes(broken[damage])
    with pytest.raises(UserError, match=table):
        filter_shards(choose(str(source), str(tmp_path / "strict"), 0.5))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished_set(str(tmp_path / "faces"), tmp_path)
    off = [f"quality.{setting}=null" for setting in OFF if setting != "least_sharpness"]
    places = [f"input={tmp_path}/faces", f"output={tmp_path}/strict"]
    assert main(["filter", *places, *off, "quality.least_sharpness=0.5"]) == 0
    check(f"{tmp_path}/faces", f"{tmp_path}/strict")
    assert "gave 2 clips" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("set_url", "url", "name"),
    [
        ("/r/strict", "/r/faces/1.tar", "../faces/1.tar"),
        ("s3://b/r/strict", "s3://b/r/faces/1.tar", "../faces/1.tar"),
        ("s3://b/strict", "s3://c/faces/1.tar", "s3://c/faces/1.tar"),
        ("/r/strict", "s3://c/faces/1.tar", "s3://c/faces/1.tar"),
        ("s3://c/strict", "/r/faces/1.tar", "/r/faces/1.tar"),
    ],
)
def test_a_tar_is_named_from_the_set(set_url: str, url: str, name: str) -> None:
    assert tar_name(set_url, url) == name
    assert tar_url(set_url, name) == url
