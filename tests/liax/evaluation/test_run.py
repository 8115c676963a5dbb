"""A whole evaluation, in this process: what is written, what is left out, and that nothing is done twice."""

import io
import json
from pathlib import Path

import av
import pytest

from liax import ray_data, storage
from liax.errors import JobError, UserError
from liax.evaluation import run
from liax.evaluation.attempts import ATTEMPTS, started
from liax.evaluation.definitions import definitions_id
from liax.evaluation.stage import MeasureTrial
from liax.evaluation.summary import Summary
from liax.shards import ShardSet
from tests.liax.evaluation.evaluated import configure, make_model, map_here
from tests.moving_shapes import video_of_shapes, write_shapes


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def shards(tmp_path: Path) -> str:
    return write_shapes(tmp_path / "shards", clips=3, validation=2)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "through_pool", map_here)
    monkeypatch.setattr(ray_data, "quiet", lambda: None)


def test_everything_is_written_and_a_second_run_measures_nothing(
    model: str, shards: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    config = configure(model, shards, output)
    found = run.evaluate(run.prepare(config))
    names = {
        "clips.parquet",
        "table.md",
        "self.png",
        "cross.png",
        "summary.json",
        "self_worst_1.mp4",
        "self_best_1.mp4",
    }
    assert {Path(file).name for file in found.files} == names  # no cross clips: without faces there is no CSIM
    summary = Summary.model_validate_json((output / "summary.json").read_text())
    assert summary.definitions_id == definitions_id()
    assert summary.data["set"] == ShardSet(shards).set_id
    assert summary.results["self"].clips == summary.results["cross"].clips == 2
    assert summary.results["self"].frames == 12
    # Nobody is in these clips, and no weights are there: said, and no number.
    assert summary.results["self"].unavailable["akd"] == "no face found in the driving clip"
    assert summary.results["self"].unavailable["fid"].startswith("no weights")
    # A model that was never trained is further away than the source itself.
    assert summary.results["self"].gain["l1"].mean < 0
    with av.open(str(output / "clips" / "self_worst_1.mp4")) as shown:
        pictures = list(shown.decode(video=0))
    assert (len(pictures), pictures[0].width) == (6, 3 * pictures[0].height)

    def never(self: MeasureTrial, row: object) -> object:
        raise AssertionError("measured again")

    monkeypatch.setattr(MeasureTrial, "__call__", never)
    assert run.evaluate(run.prepare(config)).summary == summary


def test_another_model_or_setting_is_measured_anew(model: str, shards: str, tmp_path: Path) -> None:
    def ids(model: str, **changes: object) -> set[str]:
        return set(run.prepare(configure(model, shards, tmp_path / "out", **changes)).trials)

    whole = ids(model)
    assert len(whole) == 4
    assert whole.isdisjoint(ids(model, frames=7))
    changed = ids(model, cross={"mode": "absolute"})
    assert len(whole & changed) == 2  # self-reenactment is what it was
    assert ids(model, protocols=["self"]) < whole
    other = Path(make_model(tmp_path / "other"), "model.safetensors")
    other.write_bytes(_with_another_number(other.read_bytes()))
    assert whole.isdisjoint(ids(str(other.parent)))


def _with_another_number(weights: bytes) -> bytes:
    return weights[:-1] + bytes([weights[-1] ^ 1])


def test_a_clip_that_cannot_be_read_is_left_out_and_counted(model: str, shards: str, tmp_path: Path) -> None:
    ref = next(ref for ref in ShardSet(shards).samples if ref.sample.split == "val")
    start, length = ref.sample.offsets["mp4"]
    with Path(ref.tar_url).open("r+b") as tar:
        tar.seek(start)
        tar.write(b"\0" * length)
    found = run.evaluate(run.prepare(configure(model, shards, tmp_path / "out", protocols=["self"])))
    assert found.summary.results["self"].left_out == {"unreadable": 1}
    assert found.summary.results["self"].clips == 1


def test_a_clip_whose_worker_always_dies_is_given_up(model: str, shards: str, tmp_path: Path) -> None:
    prepared = run.prepare(configure(model, shards, tmp_path / "out", protocols=["self"]))
    trial_id, trial = next(iter(prepared.trials.items()))
    stage = MeasureTrial(prepared.work)
    for attempt in range(ATTEMPTS):  # what is left of a worker that died
        storage.create_bytes(started(prepared.work.url, trial_id, attempt), b"")
    stage({"id": trial_id, "trial": trial.model_dump_json()})
    stage.close()
    record = json.loads(storage.read_bytes(prepared.work.record(trial_id)))
    assert record["reason"] == "crashed"
    assert record["values"] == {}


def test_no_usable_clip_fails_the_job_in_one_line(model: str, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"not a video")
    config = configure(model, None, tmp_path / "out", videos=str(tmp_path / "videos"), protocols=["self"])
    with pytest.raises(JobError, match=r"no clip could be measured: a.mp4: unusable") as caught:
        run.evaluate(run.prepare(config))
    assert "\n" not in str(caught.value)


def test_video_files_are_measured_whole(model: str, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for seed in (1, 2):
        (folder / f"v{seed}.mp4").write_bytes(video_of_shapes(seed))
    (folder / "copy.mp4").write_bytes(video_of_shapes(1))  # the same video twice is one
    config = configure(model, None, tmp_path / "out", videos=[str(folder)], crop=False, frames=None)
    found = run.evaluate(run.prepare(config)).summary
    assert (found.results["self"].clips, found.results["cross"].clips) == (2, 2)
    assert found.results["self"].frames == 40
    assert found.people.startswith("not known")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"split": "test"}, r"no clip of .* is of the split 'test' \(there is train, val\)"),
        ({"shown": {"self_by": "fid"}}, "shown.self_by=fid is no measure of single clips"),
        ({"shards": None, "videos": "/nowhere"}, "no such file or folder"),
        ({"networks": {"alexnet": "/nowhere.pth"}}, "no such file: /nowhere.pth"),
    ],
)
def test_wrong_usage_is_told_before_the_work(
    changes: dict[str, object], says: str, model: str, shards: str, tmp_path: Path
) -> None:
    given = {"shards": shards} | changes
    with pytest.raises(UserError, match=says):
        run.prepare(configure(model, given.pop("shards"), tmp_path / "out", **given))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_clips_that_are_too_small_are_refused(tmp_path: Path, shards: str, model: str) -> None:
    config_file = Path(make_model(tmp_path / "large"), "config.json")
    config_file.write_text(json.dumps(json.loads(config_file.read_text()) | {"size_px": 128}))
    with pytest.raises(UserError, match=r"are 64 px and the model's pictures 128 px"):
        run.prepare(configure(str(config_file.parent), shards, tmp_path / "out"))


def test_the_table_is_a_parquet_file(model: str, shards: str, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run.evaluate(run.prepare(configure(model, shards, tmp_path / "out", shown={"clips": 0})))
    table = pq.read_table(io.BytesIO((tmp_path / "out" / "clips.parquet").read_bytes()))
    assert table.num_rows == 4
    assert str(table.schema.field("model_akd").type) == "double"
    assert table.column("model_akd").null_count == 4
    assert table.column("model_l1").null_count == 2  # cross has no wanted picture
