"""A whole atlas, in this process: what is written, what is refused, and that nothing is done twice."""

import io
import json
import shlex
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.atlas import run as run_job
from liax import ray_data, ray_session, storage
from liax.atlas import run, undone
from liax.atlas.config import AtlasConfig
from liax.atlas.observed import Observed
from liax.atlas.response import Response
from liax.atlas.results import command_of
from liax.atlas.run import Atlas, Prepared
from liax.attributes import CONTROLS
from liax.controls_file import read_controls
from liax.errors import StorageError, UserError
from liax.tracking.client import connect
from tests.liax.atlas.copying_model import DIRECTIONS, PEOPLE, make_copying_model, talks
from tests.liax.evaluation.evaluated import make_model, map_here
from tests.moving_shapes import write_shapes


@pytest.fixture(scope="module", autouse=True)
def _here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(undone, "through_pool", map_here)
        patch.setattr(ray_data, "quiet", lambda: None)
        yield


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> str:
    return talks(tmp_path_factory.mktemp("talks"))


def configure(model: str, output: Path, **changes: Any) -> AtlasConfig:
    values = {"model": model, "output": str(output), "identities": PEOPLE, "frames_per_clip": 6, "levels": 5}
    values |= {"least_frames": 8, "strips": {"people": 1, "levels": 3, "frames": 2}}
    return AtlasConfig.model_validate(values | changes)


@pytest.fixture(scope="module")
def whole(videos: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Prepared, Atlas]:
    model = make_copying_model(tmp_path_factory.mktemp("model"))
    prepared = run.prepare(configure(model, tmp_path_factory.mktemp("out"), videos=videos))
    return prepared, run.atlas(prepared)


def test_everything_is_written(whole: tuple[Prepared, Atlas]) -> None:
    prepared, found = whole
    output = Path(prepared.work.url)
    names = {Path(file).name for file in found.files}
    assert {"controls.json", "index.html", "response.npz", "observed.npz", "atoms.parquet", "scores.json"} <= names
    assert all(Path(file).is_file() for file in found.files)
    response = Response.from_npz((output / "response.npz").read_bytes(), "response.npz")
    assert response.values_NPLA.shape[:3] == (PEOPLE, DIRECTIONS, 5)
    observed = Observed.from_npz((output / "observed.npz").read_bytes(), "observed.npz")
    assert len(observed.frame_F) == 6 * PEOPLE
    assert len(list((output / "strips").glob("directions_*.jpg"))) == DIRECTIONS
    assert len(list((output / "strips").glob("frames_*.jpg"))) == DIRECTIONS
    assert (output / "plots" / "effects.svg").read_bytes().startswith(b"<?xml")
    page = (output / "index.html").read_text()
    assert "id='direction-5'" in page
    scores = json.loads((output / "scores.json").read_text())
    assert scores["passive"]["frames"] == 6 * PEOPLE
    assert all(np.isfinite(value) for value in found.numbers.values())


def test_every_control_has_a_status_and_the_file_is_the_models(whole: tuple[Prepared, Atlas]) -> None:
    prepared, found = whole
    subject = prepared.work.subject
    controls = read_controls(prepared.work.file("controls.json"), subject.sha256)
    assert controls == found.controls
    assert set(controls.controls) == set(CONTROLS)
    assert controls.measured_on["identities"] == PEOPLE
    # A model that was never trained turns no heads and closes no eyes.
    assert controls.controls["blink_left"].status == "unavailable"
    assert controls.controls["blink_left"].reason
    with pytest.raises(UserError, match="belongs to another model"):
        read_controls(prepared.work.file("controls.json"), "0" * 64)


def test_the_table_has_a_row_for_each_direction(whole: tuple[Prepared, Atlas]) -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(Path(whole[0].work.file("atoms.parquet")).read_bytes()))
    assert table.column("direction").to_pylist() == list(range(DIRECTIONS))


def test_a_second_run_measures_nothing_and_writes_the_same(
    whole: tuple[Prepared, Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, found = whole
    before = {file: Path(file).read_bytes() for file in found.files}
    monkeypatch.setattr(undone, "through_pool", None)
    again = run.atlas(prepared)
    assert again.controls == found.controls
    assert {file: Path(file).read_bytes() for file in again.files} == before


def test_the_command_tells_the_controls_and_logs_them_once(
    whole: tuple[Prepared, Atlas], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared, found = whole
    monkeypatch.setattr(undone, "through_pool", None)
    monkeypatch.setattr(ray_session, "session", lambda cores: nullcontext())
    address = f"sqlite:///{tmp_path}/mlflow.db"
    program, job, *settings = shlex.split(command_of(prepared.work))
    assert (program, job) == ("liax", "atlas")
    for _ in range(2):
        assert run_job([*settings, f"tracking.uri={address}"]) == 0
    told = capsys.readouterr().out
    assert "  blink_left   unavailable" in told
    assert f"page to browse: {prepared.work.file('index.html')}" in told
    assert "liax register" not in told  # a folder that is no checkpoint cannot be registered
    client = connect(address)
    (logged,) = client.search_runs([client.get_experiment_by_name("liax-atlas").experiment_id])
    assert logged.data.metrics["controls/unavailable"] == found.numbers["controls/unavailable"] >= 1
    assert logged.data.tags["model_sha256"] == prepared.work.subject.sha256
    files = {file.path for file in client.list_artifacts(logged.info.run_id)}
    assert {"controls.json", "index.html", "response.npz", "scores.json", "effects.svg"} <= files


def test_results_that_were_not_all_written_do_not_look_finished(
    whole: tuple[Prepared, Atlas], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, found = whole
    scores, write = Path(prepared.work.file("scores.json")), storage.write_bytes
    before = scores.read_bytes()

    def breaks_off(url: str, data: bytes) -> None:
        if url.endswith("index.html"):
            raise StorageError("the disk is full")
        write(url, data)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "write_bytes", breaks_off)
        with pytest.raises(StorageError):
            run.atlas(prepared)
    assert not scores.exists()
    run.atlas(prepared)
    assert scores.read_bytes() == before
    assert prepared.work.file("scores.json") in found.files


def test_an_atlas_matches_itself(whole: tuple[Prepared, Atlas]) -> None:
    prepared, _ = whole
    config = prepared.work.config.model_copy(update={"compare": [prepared.work.url]})
    found = run.atlas(run.prepare(config))
    stability = json.loads(Path(prepared.work.file("stability.json")).read_text())
    assert list(stability) == [prepared.work.url]
    assert prepared.work.file("stability.json") in found.files
    run.atlas(prepared)
    assert not Path(prepared.work.file("stability.json")).exists(), "of another command"


def test_a_model_that_draws_no_faces_is_refused(videos: str, tmp_path: Path) -> None:
    config = configure(make_model(tmp_path / "model"), tmp_path / "out", videos=videos)
    with pytest.raises(UserError, match=r"draws no faces: in [34] of 4 unmoved pictures none is found; train it"):
        run.atlas(run.prepare(config))


def test_clips_without_faces_are_refused(tmp_path: Path) -> None:
    shards = write_shapes(tmp_path / "shards", clips=5, validation=4)
    config = configure(make_model(tmp_path / "model"), tmp_path / "out", shards=shards)
    with pytest.raises(UserError, match=r"0 of 24 frames show a face that is found, and 8 are needed: give more clips"):
        run.atlas(run.prepare(config))


def test_too_few_frames_are_refused(whole: tuple[Prepared, Atlas]) -> None:
    config = whole[0].work.config.model_copy(update={"least_frames": 200})
    with pytest.raises(UserError, match=r"24 of 24 frames show a face that is found, and 200 are needed") as caught:
        run.atlas(run.prepare(config))
    assert "\n" not in str(caught.value)


def test_too_few_people_are_refused_before_the_work(whole: tuple[Prepared, Atlas], tmp_path: Path) -> None:
    config = whole[0].work.config.model_copy(update={"identities": 32, "output": str(tmp_path / "out")})
    with pytest.raises(UserError, match=r"there are 4 people, fewer than identities=32.*identities=4"):
        run.prepare(config)
    assert not (tmp_path / "out").exists()


def test_an_atlas_of_another_kind_of_file_is_not_compared_with(whole: tuple[Prepared, Atlas], tmp_path: Path) -> None:
    for name in ("response.npz", "observed.npz"):
        (tmp_path / name).write_bytes(b"no npz")
    for url, says in ((str(tmp_path), "no response.npz of"), (str(tmp_path / "none"), "no such file")):
        config = whole[0].work.config.model_copy(update={"compare": [url]})
        with pytest.raises(UserError, match=rf"cannot compare with {url}: .*{says}") as caught:
            run.prepare(config)
        assert "\n" not in str(caught.value)


def test_an_atlas_of_another_version_is_not_compared_with(whole: tuple[Prepared, Atlas], tmp_path: Path) -> None:
    output = Path(whole[0].work.url)
    response = Response.from_npz((output / "response.npz").read_bytes(), "response.npz")
    observed = Observed.from_npz((output / "observed.npz").read_bytes(), "observed.npz")
    others = {
        "renamed": (replace(response, attributes=("turn", *response.attributes[1:])), observed),
        "fewer": (replace(response, values_NPLA=response.values_NPLA[..., 1:]), observed),
        "unlike": (response, replace(observed, attributes_FA=observed.attributes_FA[:, 1:])),
        "smaller": (response, replace(observed, codes_FM=observed.codes_FM[:, 1:])),
    }
    for name, (moved, seen) in others.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "response.npz").write_bytes(moved.to_npz())
        (folder / "observed.npz").write_bytes(seen.to_npz())
        config = whole[0].work.config.model_copy(update={"compare": [str(folder)], "output": str(tmp_path / "out")})
        with pytest.raises(UserError, match=f"compare with {folder}: measured by another version of liax: run that"):
            run.prepare(config)
    assert not (tmp_path / "out").exists()
