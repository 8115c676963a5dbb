"""The whole preprocessing on Ray, on videos made here from one portrait: what comes out is known beforehand."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from liax import ray_session
from liax.config import load_config
from liax.errors import UserError
from liax.face import FaceFinder
from liax.sample import FaceArrays, SampleInfo
from liax.shards import ShardSet
from liax.video.decode import frames
from liax.video.encode import VideoWriter
from pipelines.config import PreprocessConfig
from pipelines.graph import open_preprocessing, preprocess
from pipelines.outcomes import KEPT
from pipelines.summary import Summary

FPS, SECONDS, CLIP_PX = 15, 1.6, 128
"""15 frames a second is neither the clips' rate nor a multiple of the rate at which faces are looked for."""

STEP_PX = 2
"""How far the face moves to the right from one frame to the next."""


def portrait(side_px: int) -> np.ndarray:
    import cv2
    from skimage.data import astronaut

    return cv2.resize(astronaut()[:260, 90:350], (side_px, side_px), interpolation=cv2.INTER_AREA)


def write_faces(path: Path, sizes_px: list[int], width_px: int = 640, height_px: int = 320) -> None:
    """A grey video in which portraits side by side move to the right."""
    with VideoWriter(path, width_px, height_px, FPS) as writer:
        for index in range(round(FPS * SECONDS)):
            picture = np.full((height_px, width_px, 3), 90, dtype=np.uint8)
            for place, size_px in enumerate(sizes_px):
                left = place * width_px // len(sizes_px) + STEP_PX * index
                picture[10 : 10 + size_px, left : left + size_px] = portrait(size_px)
            writer.write(picture)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    write_faces(folder / "one.mp4", [280])
    write_faces(folder / "two.mp4", [240, 240])
    write_faces(folder / "small.mp4", [90], 320, 160)
    write_faces(folder / "none.mp4", [])
    shutil.copy(folder / "one.mp4", folder / "same.mp4")
    (folder / "text.mp4").write_text("this is not a video")
    return folder


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    with ray_session.session(num_cpus=2):
        yield


def start(videos: Path, output: Path, *overrides: str) -> Summary:
    arguments = [
        f"input={videos}",
        f"output={output}",
        f"clip.size_px={CLIP_PX}",
        "shards.target_bytes=60000",
        *overrides,
    ]
    config = load_config(PreprocessConfig, None, arguments)
    return preprocess(config, *open_preprocessing(config))


@pytest.fixture(scope="module")
def done(ray: None, videos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    output = tmp_path_factory.mktemp("shards") / "out"
    return output, start(videos, output)


def shard_bytes(output: Path) -> dict[str, bytes]:
    files = [*output.glob("*.tar"), *output.glob("commits/*"), output / "plan.json", output / "index.parquet"]
    return {file.relative_to(output).as_posix(): file.read_bytes() for file in files}


def test_every_video_is_accounted_for(done: tuple[Path, Summary]) -> None:
    import pyarrow.parquet as pq

    output, summary = done
    assert summary.sources == 6
    assert summary.clips == 3
    assert summary.sources_by_result == {KEPT: 2, "face_too_small": 1, "no_face": 1, "duplicate": 1, "unreadable": 1}
    assert sum(summary.outcomes.values()) == 7
    rows = pq.read_table(output / "outcomes.parquet").to_pylist()
    assert len(rows) == 7
    assert {Path(row["source_uri"]).name for row in rows} == {
        "one.mp4",
        "two.mp4",
        "small.mp4",
        "none.mp4",
        "same.mp4",
        "text.mp4",
    }
    index = pq.read_table(output / "index.parquet").to_pylist()
    assert {row["key"] for row in index} == {row["key"] for row in rows if row["reason"] == KEPT}
    assert not list((output / "work/clips").iterdir()), "clips that are in shards must not be kept twice"
    page = (output / "report.html").read_text()
    assert page.startswith("<!doctype html><html lang=en>")
    assert "6 videos → 3 clips" in page
    assert "same bytes as" in page
    assert (output / "contact_sheet.png").stat().st_size > 1000


def test_clips_hold_the_face_where_their_landmarks_say(done: tuple[Path, Summary], tmp_path: Path) -> None:
    shards = ShardSet(str(done[0]))
    assert len(shards.samples) == 3
    with FaceFinder() as finder:
        for ref in shards.samples:
            info = SampleInfo.from_bytes(shards.read(ref, "json"))
            faces = FaceArrays.from_bytes(shards.read(ref, "npz"))
            clip = tmp_path / f"{info.key}.mp4"
            clip.write_bytes(shards.read(ref, "mp4"))
            pictures = [picture for _, picture in frames(clip)]
            assert len(pictures) == info.frames == len(faces.landmarks_TN3) == pytest.approx(25 * SECONDS, abs=3)
            assert info.keyframes == list(range(0, info.frames, 8))
            assert pictures[0].shape == (CLIP_PX, CLIP_PX, 3)
            for index in (0, info.frames // 2, info.frames - 1):
                found = finder.find(pictures[index])[0].landmarks_N3[:, :2]
                apart_px = np.linalg.norm(found - faces.landmarks_TN3[index, :, :2], axis=1)
                assert np.median(apart_px) < 0.02 * CLIP_PX
            inside = (faces.boxes_T4 >= 0) & (faces.boxes_T4 <= CLIP_PX)
            assert inside.all(axis=1).mean() >= 0.99
            # The crop is fixed: the face moves in the clip as it does in the source, scaled.
            scale = CLIP_PX / info.crop.side_px
            moved_px = faces.landmarks_TN3[-1, :, 0].mean() - faces.landmarks_TN3[0, :, 0].mean()
            expected_px = STEP_PX * (round(FPS * SECONDS) - 1) * scale
            assert moved_px == pytest.approx(expected_px, rel=0.15)


def test_plain_webdataset_reads_the_shards(done: tuple[Path, Summary]) -> None:
    import webdataset as wds

    tars = sorted(str(tar) for tar in done[0].glob("*.tar"))
    assert len(tars) > 1, "the small target size must give several shards"
    samples = list(wds.WebDataset(tars, shardshuffle=False))
    assert len(samples) == 3
    assert all({"mp4", "json", "npz"} <= set(sample) for sample in samples)


def test_another_run_gives_the_same_bytes(done: tuple[Path, Summary], videos: Path, tmp_path: Path) -> None:
    start(videos, tmp_path / "out", "workers=1")
    assert shard_bytes(tmp_path / "out") == shard_bytes(done[0])


def test_an_interrupted_run_continues_to_the_same_bytes(
    done: tuple[Path, Summary], videos: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    shutil.copytree(done[0], output)
    before = shard_bytes(output)
    records = sorted((output / "work/done").iterdir(), key=lambda record: len(json.loads(record.read_text())["clips"]))
    assert json.loads(records[-1].read_text())["clips"], "the source to be made again must be one with clips"
    untouched = [record.stat().st_mtime_ns for record in records[:-1]]
    # As if it had died while the clips were made: one source, all shards and the plan are missing.
    records[-1].unlink()
    shutil.rmtree(output / "commits")
    for lost in [*output.glob("*.tar"), output / "plan.json", output / "index.parquet"]:
        lost.unlink()
    for record in records[:-1]:
        remake_clips(output, record, done[0])
    start(videos, output)
    assert shard_bytes(output) == before
    now = [record.stat().st_mtime_ns for record in records[:-1]]
    assert now == untouched, "a finished source must not be worked on again"
    assert records[-1].is_file()


def remake_clips(output: Path, record: Path, finished: Path) -> None:
    """Put the clips of a finished source back into the work folder, where they are until their shard is committed."""
    shards = ShardSet(str(finished))
    for ref in shards.samples:
        if f'"{ref.sample.key}"' in record.read_text():
            for extension in ("mp4", "npz"):
                place = output / "work/clips" / f"{ref.sample.key}.{extension}"
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(shards.read(ref, extension))


def test_a_finished_run_is_left_as_it_is(done: tuple[Path, Summary], videos: Path) -> None:
    before = shard_bytes(done[0])
    assert start(videos, done[0]).clips == 3
    assert shard_bytes(done[0]) == before
    with pytest.raises(UserError, match="another run"):
        start(videos, done[0], "clip.crf=30")
