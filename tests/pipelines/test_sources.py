"""Listing of inputs, probing, duplicates, and which run an output belongs to."""

import os
from pathlib import Path

import numpy as np
import pytest

from liax import storage
from liax.config import load_config
from liax.errors import StorageError, UserError
from liax.video.encode import VideoWriter
from liax.video.ffmpeg import ffmpeg_version
from pipelines.config import LimitsConfig, PreprocessConfig
from pipelines.duplicates import set_aside
from pipelines.outcomes import KEPT, Outcome, Source, source_results
from pipelines.probing import probe_source
from pipelines.run import open_run
from pipelines.sources import list_sources


def test_folders_files_and_manifests(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.mp4", "deep/a.MOV", "deep/notes.txt", "odd.bin"):
        (tmp_path / name).write_bytes(b"x")
    everything = [str(tmp_path / "b.mp4"), str(tmp_path / "deep/a.MOV")]
    assert list_sources([str(tmp_path)]) == everything
    assert list_sources([str(tmp_path / "odd.bin")]) == [str(tmp_path / "odd.bin")]
    assert list_sources([str(tmp_path), str(tmp_path / "b.mp4")]) == everything
    (tmp_path / "list.txt").write_text("b.mp4\n\ns3://bucket/c.mp4\n")
    assert list_sources([str(tmp_path / "list.txt")]) == [everything[0], "s3://bucket/c.mp4"]
    (tmp_path / "list.csv").write_text(f"file,note\ndeep/a.MOV,x\n{tmp_path}/b.mp4,y\n")
    assert list_sources([str(tmp_path / "list.csv")]) == everything


def test_inputs_without_a_video_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(UserError, match="no video under"):
        list_sources([str(tmp_path)])
    with pytest.raises(UserError, match="missing"):
        list_sources([str(tmp_path / "missing")])
    (tmp_path / "list.csv").write_text("name\na.mp4\n")
    with pytest.raises(UserError, match="no column 'file'"):
        list_sources([str(tmp_path / "list.csv")])
    (tmp_path / "list.csv").write_text(f"file,note\na.mp4,{'x' * 200_000}\n")
    with pytest.raises(UserError, match=r"list\.csv is no CSV table: .* \(line"):
        list_sources([str(tmp_path / "list.csv")])


def write_video(path: Path, seconds: float = 1.0) -> Path:
    with VideoWriter(path, 64, 48, 25) as writer:
        for _ in range(int(25 * seconds)):
            writer.write(np.zeros((48, 64, 3), dtype=np.uint8))
    return path


def test_probing_gives_a_reason_for_everything(tmp_path: Path) -> None:
    good = write_video(tmp_path / "good.mp4")
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    assert probe_source(str(good), LimitsConfig()).reason == ""
    assert probe_source(str(good), LimitsConfig()).duration_s == pytest.approx(1.0)
    assert probe_source(str(text), LimitsConfig()).reason == "unreadable"
    assert probe_source(str(tmp_path / "gone.mp4"), LimitsConfig()).reason == "missing"
    assert probe_source(str(good), LimitsConfig(longest_side_px=50)).reason == "picture_too_large"
    assert probe_source(str(good), LimitsConfig(longest_s=0.5)).reason == "too_long"
    half = tmp_path / "half.mp4"
    half.write_bytes(good.read_bytes()[: good.stat().st_size // 3])
    assert probe_source(str(half), LimitsConfig()).reason == "no_frames"


@pytest.mark.server
def test_a_storage_that_fails_is_not_held_against_the_video(s3_bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.config import Config

    assert probe_source(f"{s3_bucket}/gone.mp4", LimitsConfig()).reason == "missing"
    import boto3

    away = boto3.client("s3", endpoint_url="http://127.0.0.1:9", config=Config(retries={"max_attempts": 0}))
    monkeypatch.setattr(storage, "_s3", lambda: away)
    with pytest.raises(StorageError, match="cannot be reached"):
        probe_source(f"{s3_bucket}/there.mp4", LimitsConfig())


def test_of_equal_files_the_first_by_name_is_kept() -> None:
    sources = [
        Source(uri="/c", sha256="1"),
        Source(uri="/a", sha256="2"),
        Source(uri="/b", sha256="1"),
        Source(uri="/d", sha256="1", reason="too_long"),
    ]
    unique, rows = set_aside(sources)
    assert [source.uri for source in unique] == ["/a", "/b"]
    assert [(row.source_uri, row.reason) for row in rows] == [("/c", "duplicate"), ("/d", "too_long")]
    assert "/b" in rows[0].detail


def test_a_source_with_a_clip_counts_as_kept() -> None:
    def row(uri: str, reason: str) -> Outcome:
        return Outcome(source_uri=uri, source_sha256="", stage="", reason=reason)

    rows = [row("/a", "too_short"), row("/a", KEPT), row("/b", "face_too_small"), row("/b", "too_short")]
    assert source_results(rows) == {"/a": KEPT, "/b": "face_too_small"}


def test_an_output_belongs_to_one_run(tmp_path: Path) -> None:
    output = tmp_path / "out"
    config = load_config(PreprocessConfig, None, ["input=videos", f"output={output}"])
    first = open_run(config, ["/a.mp4"])
    moved = config.model_copy(update={"workers": 3, "input": "elsewhere"})
    assert open_run(moved, ["/a.mp4"]) == first
    with pytest.raises(UserError, match=r"another run .*input"):
        open_run(config, ["/a.mp4", "/b.mp4"])
    other = load_config(PreprocessConfig, None, ["input=videos", f"output={output}", "clip.crf=20"])
    with pytest.raises(UserError, match=r"another run .*configuration"):
        open_run(other, ["/a.mp4"])
    claim = output / "run.json"
    claim.write_text(claim.read_text().replace(ffmpeg_version(), "0.1"))
    with pytest.raises(UserError, match=r"another run .*ffmpeg"):
        open_run(config, ["/a.mp4"])
    for foreign in ("", "[1]", "{}", '{"name": "somebody else"}'):
        claim.write_text(foreign)
        with pytest.raises(UserError, match="other files"):
            open_run(config, ["/a.mp4"])
    with pytest.raises(UserError, match="other files"):
        open_run(config.model_copy(update={"output": str(tmp_path)}), ["/a.mp4"])


def test_an_output_inside_the_input_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for given, output in (("in", "in/shards"), (".", "shards"), ("in", "in"), ("s3://b/in", "s3://b/in/shards")):
        config = PreprocessConfig(input=["elsewhere", given], output=output)
        with pytest.raises(UserError, match="inside the input"):
            open_run(config, ["/a.mp4"])
    assert list((tmp_path / "in").iterdir()) == []
    open_run(PreprocessConfig(input="in", output="in_shards"), ["/a.mp4"])


@pytest.mark.server
def test_a_prefix_with_other_objects_is_refused(s3_bucket: str) -> None:
    storage.write_bytes(f"{s3_bucket}/used/notes.md", b"x")
    with pytest.raises(UserError, match="other files"):
        open_run(PreprocessConfig(input="in", output=f"{s3_bucket}/used"), ["/a.mp4"])
    config = PreprocessConfig(input="in", output=f"{s3_bucket}/new/")
    assert open_run(config, ["/a.mp4"]) == open_run(config, ["/a.mp4"])


def test_a_manifest_in_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    manifest = str(tmp_path / "list.parquet")
    pq.write_table(pa.table({"n": [1, 2, 3], "file": ["b.mp4", None, "s3://bucket/a.mp4"]}), manifest)
    assert list_sources([manifest]) == [str(tmp_path / "b.mp4"), "s3://bucket/a.mp4"]
    pq.write_table(pa.table({"name": ["b.mp4"]}), manifest)
    with pytest.raises(UserError, match="no column 'file'; it has name"):
        list_sources([manifest])
    pq.write_table(pa.table({"file": [1]}), manifest)
    with pytest.raises(UserError, match="holds no text"):
        list_sources([manifest])
    Path(manifest).write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match="cannot be read"):
        list_sources([manifest])


def test_names_that_are_not_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"M\xfcller.mp4")).write_bytes(b"x")
    with pytest.raises(UserError, match=r"M\\xfcller.mp4' is not UTF-8"):
        list_sources([str(tmp_path)])


def test_a_byte_order_mark_is_no_part_of_a_manifest(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("\ufefffile,note\na.mp4,x\n".encode())
    (tmp_path / "list.txt").write_bytes("\ufeffa.mp4\n".encode())
    assert list_sources([str(tmp_path / "list.csv"), str(tmp_path / "list.txt")]) == [str(tmp_path / "a.mp4")]
