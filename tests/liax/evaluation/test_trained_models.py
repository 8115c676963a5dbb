"""Checkpoints and registered models are measured, know whom they were trained on, and have their results in MLflow."""

import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from jobs.evaluate import run as run_job
from liax import ray_data, ray_session
from liax.errors import UserError
from liax.evaluation import run
from liax.evaluation.subject import find_subject
from liax.registry.register import register
from liax.shards import ShardSet
from liax.tracking.client import connect
from liax.training.config import TrainConfig
from tests.liax.evaluation.evaluated import map_here
from tests.two_steps import train_two_steps


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    """A run of two steps, whose record names its shard set as Ray's trainer makes it."""
    from liax.training.run_record import RunRecord, write_run

    config = train_two_steps(tmp_path_factory.mktemp("trained"), clips=3, validation=2)
    set_id = ShardSet(config.shards).set_id
    write_run(config.output, RunRecord(identity=config.identity(set_id), set_id=set_id))
    return config


@pytest.fixture(scope="module")
def address(trained: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An MLflow with version 1 of `face`, alias `candidate`."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    assert register(trained.output, "face", "candidate", uri) == "1"
    return uri


def test_a_checkpoint_knows_its_shard_set(trained: TrainConfig) -> None:
    subject = find_subject(trained.output, None)
    assert subject.url.endswith("checkpoints/00000002")
    assert subject.set_id == ShardSet(trained.shards).set_id
    assert subject.training_shards == trained.shards
    assert subject.is_checkpoint


def test_a_damaged_or_half_checkpoint_is_refused(trained: TrainConfig, tmp_path: Path) -> None:
    copy = tmp_path / "checkpoints" / "00000002"
    shutil.copytree(Path(trained.output, "checkpoints", "00000002"), copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(UserError, match="was changed or damaged since it was written"):
        find_subject(str(copy), None)
    weights.unlink()
    with pytest.raises(UserError, match="has no averaged weights"):
        find_subject(str(copy), None)


def test_a_registered_model_is_measured_by_its_version(trained: TrainConfig, address: str) -> None:
    subject = find_subject("models:/face@candidate", address)
    assert subject.url == "models:/face/1"  # the alias may move meanwhile
    assert subject.sha256 == find_subject(trained.output, None).sha256
    assert subject.set_id == ShardSet(trained.shards).set_id
    with pytest.raises(UserError, match="no models:/face@champion"):
        find_subject("models:/face@champion", address)


def test_the_side_of_a_registered_model_is_told_by_its_tag(
    trained: TrainConfig, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object) -> object:
        raise AssertionError("all files were fetched")

    size_px = find_subject(trained.output, None).size_px
    connect(address).delete_model_version_tag("face", "1", "size_px")  # as an older version registered it
    assert find_subject("models:/face/1", address).size_px == size_px
    connect(address).set_model_version_tag("face", "1", "size_px", str(size_px))
    monkeypatch.setattr("liax.registry.pull.pull", never)
    assert find_subject("models:/face/1", address).size_px == size_px


def test_the_results_go_to_mlflow_once(
    trained: TrainConfig, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "through_pool", map_here)
    monkeypatch.setattr(ray_data, "quiet", lambda: None)
    monkeypatch.setattr(ray_session, "session", lambda workers: nullcontext())
    line = ["model=models:/face@candidate", f"shards={trained.shards}", f"output={tmp_path / 'out'}", "frames=4"]
    for _ in range(2):
        assert run_job([*line, "protocols=[self]", "shown.clips=1", f"tracking.uri={address}"]) == 0
    client = connect(address)
    experiment = client.get_experiment_by_name("liax-evaluate")
    (logged,) = client.search_runs([experiment.experiment_id])
    assert {"self/model/l1", "self/copy/l1_low", "self/gain/psnr", "self/clips"} <= logged.data.metrics.keys()
    assert logged.data.tags["set_id"] == ShardSet(trained.shards).set_id
    files = {file.path for file in client.list_artifacts(logged.info.run_id)}
    assert {"table.md", "summary.json", "clips.parquet", "self.png", "self_worst_1.mp4"} <= files
