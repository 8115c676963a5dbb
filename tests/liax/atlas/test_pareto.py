"""Trainings compared, in this process instead of on Ray."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from liax import ray_data, storage
from liax.atlas import pareto as pareto_module
from liax.atlas import undone
from liax.atlas.pareto import Pareto, PreparedPareto, RunPoint, front, pareto, prepare
from liax.atlas.pareto_chart import pareto_png
from liax.atlas.pareto_config import ParetoConfig
from liax.atlas.records import CRASHED, write_arrays
from liax.errors import JobError, UserError
from liax.evaluation.subject import find_subject
from liax.model.config import preset
from liax.model.network import LiaX
from liax.model.weights import save_model
from tests.checkpoints import write
from tests.liax.atlas.copying_model import PEOPLE, SIZE_PX, talks
from tests.liax.evaluation.evaluated import map_here

RUNS = ((20, 0), (20, 1), (12, 2))
"""Directions and seed."""


@pytest.fixture(scope="module", autouse=True)
def _here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(undone, "through_pool", map_here)
        patch.setattr(ray_data, "quiet", lambda: None)
        yield


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> str:
    return talks(tmp_path_factory.mktemp("talks"))


def _model(folder: Path, directions: int, seed: int, size_px: int = SIZE_PX) -> str:
    torch.manual_seed(seed)
    save_model(LiaX(preset("tiny", size_px).model_copy(update={"directions": directions})), folder)
    return str(folder)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("models")
    return [_model(folder / f"run{place}", *run) for place, run in enumerate(RUNS)]


def configure(runs: list[str], videos: str, output: Path, **changes: Any) -> ParetoConfig:
    values = {"runs": runs, "videos": videos, "output": str(output), "frames_per_clip": 6, "crop": False}
    return ParetoConfig.model_validate(values | changes)


@pytest.fixture(scope="module")
def whole(models: list[str], videos: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[PreparedPareto, Pareto]:
    prepared = prepare(configure(models, videos, tmp_path_factory.mktemp("out")))
    return prepared, pareto(prepared)


def test_each_run_has_its_numbers(whole: tuple[PreparedPareto, Pareto], models: list[str]) -> None:
    prepared, found = whole
    assert [point.run for point in found.points] == models
    assert [point.directions for point in found.points] == [directions for directions, _ in RUNS]
    assert found.clips == PEOPLE
    assert found.left_out == {}
    for point in found.points:
        assert 0 < point.l1 < 1
        assert 0 < point.psnr < 60
        assert 0 <= point.codes["hoyer"] <= 1
        assert point.sparsity_weight is None  # a model alone does not say
    assert any(point.on_front for point in found.points)
    told = json.loads((Path(prepared.work.url) / "pareto.json").read_text())
    assert [run["l1"] for run in told["runs"]] == [point.l1 for point in found.points]
    assert told["clips"] == PEOPLE
    picture = Image.open(io.BytesIO((Path(prepared.work.url) / "pareto.png").read_bytes()))
    assert picture.width > 500


def test_the_numbers_are_those_of_the_models(whole: tuple[PreparedPareto, Pareto]) -> None:
    """Of other weights, other codes; and the same clip's faces for all."""
    prepared, found = whole
    assert len({round(point.codes["hoyer"], 9) for point in found.points}) == len(RUNS)
    folder = Path(prepared.work.url) / "work"
    assert len(list((folder / "faces").iterdir())) == PEOPLE
    assert len(list((folder / "runs").iterdir())) == PEOPLE * len(RUNS)
    for file in (folder / "runs").iterdir():
        with np.load(file) as record:
            assert len(record["codes_FM"]) == len(record["frame_F"]) == len(record["l1_K"]) + 1
            assert record["frame_F"][0] == 0


def test_done_work_is_not_done_again_and_a_new_run_is_added(
    whole: tuple[PreparedPareto, Pareto], models: list[str], videos: str, tmp_path: Path
) -> None:
    prepared, found = whole
    records = {file: file.stat().st_mtime_ns for file in (Path(prepared.work.url) / "work").rglob("*.npz")}
    assert pareto(prepared).points == found.points
    more = [*models, _model(tmp_path / "more", 8, 3)]
    added = pareto(prepare(configure(more, videos, Path(prepared.work.url))))
    assert [point.directions for point in added.points] == [20, 20, 12, 8]
    assert all(file.stat().st_mtime_ns == then for file, then in records.items())


def test_a_training_says_its_weight_and_step(tmp_path: Path) -> None:
    write(tmp_path / "run", [1.0, 0.5])
    settings = tmp_path / "run" / "checkpoints" / "00000002" / "train.yaml"
    weight = yaml.safe_load(settings.read_text())["loss"]["sparsity_weight"]
    assert weight > 0
    assert pareto_module._settings(find_subject(str(tmp_path / "run"), None)) == (2, weight)


def test_a_clip_that_cannot_be_read_is_left_out_for_all(models: list[str], videos: str, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for file in sorted(Path(videos).glob("*.mp4"))[:2]:
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "broken.mp4").write_bytes(b"no video")
    found = pareto(prepare(configure(models[:2], str(folder), tmp_path / "out")))
    assert found.clips == 2
    assert sum(found.left_out.values()) == 1


def test_no_clip_at_all_is_an_error_that_says_why(models: list[str], tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(JobError, match="no clip could be measured"):
        pareto(prepare(configure(models[:2], str(tmp_path / "broken.mp4"), tmp_path / "out")))


def test_what_killed_its_worker_is_measured_by_another_run(whole: tuple[PreparedPareto, Pareto]) -> None:
    prepared, found = whole
    some = next((Path(prepared.work.url) / "work" / "runs").iterdir())
    with np.load(some) as record:
        arrays = {name: record[name][:0] for name in ("frame_F", "codes_FM", "l1_K", "psnr_K")}
    write_arrays(str(some), {**arrays, "reason": np.array(CRASHED)})
    again = pareto(prepared)
    assert again.left_out == {}
    assert again.points == found.points


def test_a_run_with_numbers_that_are_not_finite_is_named(whole: tuple[PreparedPareto, Pareto]) -> None:
    prepared, found = whole
    work, clip = prepared.work, prepared.clips.clips[0]
    file = Path(work.record("runs", work.run_id(work.subjects[1], clip)))
    before = file.read_bytes()
    for name in ("codes_FM", "l1_K"):
        with np.load(io.BytesIO(before)) as record:
            arrays = {key: record[key] for key in record.files}
        arrays[name] = np.full_like(arrays[name], np.nan)
        write_arrays(str(file), arrays)
        with pytest.raises(UserError, match=f"{found.points[1].run}: its {name.split('_')[0]} on these clips are not"):
            pareto(prepared)
    file.write_bytes(before)
    assert pareto(prepared).points == found.points


def test_weights_that_no_comparison_uses_are_not_accepted(videos: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"networks\.alexnet"):
        configure(["a", "b"], videos, tmp_path, networks={"alexnet": "a.pth"})


def test_runs_of_two_sizes_are_refused(models: list[str], videos: str, tmp_path: Path) -> None:
    other = _model(tmp_path / "small", 20, 0, size_px=64)
    with pytest.raises(UserError, match="give runs of one size"):
        prepare(configure([models[0], other], videos, tmp_path / "out"))


def test_the_same_weights_twice_are_refused(models: list[str], videos: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="twice"):
        configure([models[0], models[0]], videos, tmp_path)
    copy = _model(tmp_path / "copy", *RUNS[0])
    with pytest.raises(UserError, match="the same weights"):
        prepare(configure([models[0], copy], videos, tmp_path / "out"))


def test_a_run_that_is_not_there_is_refused(models: list[str], videos: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model in"):
        prepare(configure([models[0], str(tmp_path / "none")], videos, tmp_path / "out"))
    assert not storage.exists(str(tmp_path / "out"))


def test_one_run_is_no_comparison(videos: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="at least 2"):
        configure(["a"], videos, tmp_path)


def test_the_front_is_what_no_other_beats() -> None:
    sparsity, error = [0.1, 0.3, 0.5, 0.3, 0.5], [0.05, 0.06, 0.09, 0.07, 0.09]
    assert list(front(sparsity, error)) == [True, True, True, False, True]
    assert list(front([0.2, 0.1], [0.05, 0.06])) == [True, False]
    assert list(front([0.2], [0.05])) == [True]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_every_run_off_the_front_is_beaten_by_one_on_it(runs: list[tuple[int, int]]) -> None:
    sparsity, error = zip(*runs, strict=True)
    on_front = front([float(one) for one in sparsity], [float(one) for one in error])
    best = [run for run, on in zip(runs, on_front, strict=True) if on]
    assert best
    for (sparse, wrong), on in zip(runs, on_front, strict=True):
        beaten = any(s >= sparse and e <= wrong and (s, e) != (sparse, wrong) for s, e in best)
        assert beaten != on


def test_a_picture_without_disentanglement_is_drawn_too() -> None:
    points = [
        RunPoint(
            "a", "0", None, weight, size, 0, {"hoyer": sparsity}, {"disentanglement": None}, 0.05, 20.0, on_front=True
        )
        for weight, size, sparsity in ((None, 20, 0.2), (0.01, 40, 0.4))
    ]
    picture = Image.open(io.BytesIO(pareto_png(points, "hoyer")))
    assert len(picture.getcolors(1_000_000)) > 10
