"""A run's records in a real MLflow (SQLite)."""

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from liax import storage
from liax.errors import UserError
from liax.tracking.address import tracking_uri
from liax.tracking.client import connect, flatten
from liax.tracking.follower import NoFollower, open_follower
from liax.tracking.grids import grid_png
from liax.tracking.mlflow_log import MlflowFollower
from liax.training.config import TrainConfig
from liax.training.records import Records, read_records


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    folder = tmp_path_factory.mktemp("mlflow")
    tracking: Any = {"uri": f"sqlite:///{folder}/db/mlflow.db", "every_steps": 1}
    return TrainConfig(shards="s", output=str(folder / "run"), tracking=tracking)


def test_every_point_is_there_once_whatever_was_interrupted(config: TrainConfig) -> None:
    records = Records(config.output, 0, every_steps=1)
    first = open_follower(config, "set")
    assert isinstance(first, MlflowFollower)
    for step in (1, 2, 3):
        records.add(step, {"l1": 1 / step, "loss": 2.0})
    first.ship()
    records.add(4, {"l1": 0.25, "val/l1": 0.5})
    picture = Path(config.output, "pictures", "00000004.png")
    picture.parent.mkdir(exist_ok=True)
    picture.write_bytes(grid_png([torch.zeros(1, 3, 8, 8)]))
    # The follower dies here. The run goes on from a checkpoint of step 2, so that two steps are done again.
    again = Records(config.output, 2, every_steps=1)
    for step in (3, 4):
        again.add(step, {"l1": 1 / step, "val/l1": 0.5} if step == 4 else {"l1": 1 / step})
    second = open_follower(config, "set")
    assert isinstance(second, MlflowFollower)
    assert second.run_id == first.run_id
    second.ship()
    second.finish("FINISHED")
    client = connect(str(config.tracking.uri))
    points = client.get_metric_history(first.run_id, "l1")
    assert [(p.step, p.value) for p in points] == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3, rel=1e-5)), (4, 0.25)]
    run = client.get_run(first.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["loss.sparsity_weight"] == "0.01"
    assert run.data.tags["set_id"] == "set"
    images = [artifact.path for artifact in client.list_artifacts(first.run_id, "images")]
    assert len([path for path in images if path.endswith(".png")]) == 1
    assert run.info.artifact_uri.startswith(Path(str(config.tracking.uri).removeprefix("sqlite:///")).parent.as_uri())


def test_a_picture_is_shipped_before_the_numbers_that_mark_it(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config.model_copy(update={"output": f"{config.output}-pictures"})
    follower = open_follower(config, "set")
    assert isinstance(follower, MlflowFollower)
    Records(config.output, 0, every_steps=1).add(1, {"l1": 1.0, "val/l1": 0.5})
    storage.write_bytes(f"{config.output}/pictures/00000001.png", grid_png([torch.zeros(1, 3, 8, 8)]))
    client = connect(str(config.tracking.uri))

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(type(client), "log_image", die)
        with pytest.raises(KeyboardInterrupt):
            follower.ship()
    again = open_follower(config, "set")
    again.finish("FINISHED")
    images = [artifact.path for artifact in client.list_artifacts(follower.run_id, "images")]
    assert len([path for path in images if path.endswith(".png")]) == 1
    assert len(client.get_metric_history(follower.run_id, "val/l1")) == 1


def test_a_server_that_is_not_there_is_refused_quickly(tmp_path: Path) -> None:
    import mlflow  # noqa: F401  # not part of the wait

    started_s = time.monotonic()
    with pytest.raises(UserError, match=r"no MLflow at http://127\.0\.0\.1:9"):
        open_follower(
            TrainConfig(shards="s", output=str(tmp_path), tracking={"uri": "http://127.0.0.1:9"}),  # type: ignore[arg-type]
            "set",
        )
    assert time.monotonic() - started_s < 30
    assert not (tmp_path / "run.json").exists()


def test_no_tracking_still_marks_the_output(tmp_path: Path) -> None:
    config = TrainConfig(shards="s", output=str(tmp_path), tracking={"uri": "none"})  # type: ignore[arg-type]
    assert isinstance(open_follower(config, "set"), NoFollower)
    assert (tmp_path / "run.json").exists()


def test_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert tracking_uri(None) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert tracking_uri(None) == "http://localhost:5000"
    assert tracking_uri("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"
    with pytest.raises(UserError, match="not an MLflow address"):
        tracking_uri("/some/folder")


def test_a_restarted_run_rewrites_its_records(tmp_path: Path) -> None:
    output = str(tmp_path)
    assert read_records(output) == []
    records = Records(output, 0, every_steps=10)
    for step in range(1, 6):
        records.add(step, {"l1": float(step)})
        if step in (2, 4):
            records.flush()
            records.begin_next(step)
    records.flush()
    assert [step for step, _ in read_records(output)] == [1, 2, 3, 4, 5]
    assert [step for step, _ in read_records(output, after_step=2)] == [3, 4, 5]
    again = Records(output, 4, every_steps=1)
    again.add(5, {"l1": 50.0})
    assert read_records(output, after_step=3) == [(4, {"l1": 4.0}), (5, {"l1": 50.0})]


def test_grid_has_a_column_a_batch_and_a_row_a_picture() -> None:
    red, blue = torch.full((2, 3, 4, 6), -1.0), torch.full((2, 3, 4, 6), -1.0)
    red[:, 0], blue[:, 2] = 1, 5
    picture = cv2.imdecode(np.frombuffer(grid_png([red, blue, red]), np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert picture.shape == (8, 18, 3)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert picture[7, 8].tolist() == [0, 0, 255]


def test_flatten() -> None:
    assert flatten({"a": 1, "b": {"c": {"d": None}, "e": [2]}}) == {"a": 1, "b.c.d": None, "b.e": [2]}
