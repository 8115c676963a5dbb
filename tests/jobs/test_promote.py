"""`liax promote`, from versions to the alias; the clips are measured in this process instead of on Ray."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from jobs.promote import NOT_PROMOTED, run
from liax import ray_data, ray_session
from liax.errors import run_main
from liax.evaluation import logged
from liax.evaluation import run as evaluation
from liax.registry.register import register
from liax.tracking.client import connect
from tests.liax.evaluation.evaluated import map_here
from tests.moving_shapes import write_shapes
from tests.two_steps import train_two_steps


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "through_pool", map_here)
    monkeypatch.setattr(ray_data, "quiet", lambda: None)
    monkeypatch.setattr(ray_session, "session", lambda workers: nullcontext())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model after two steps, beside what it can be measured on."""
    folder = tmp_path_factory.mktemp("promoted")
    write_shapes(folder / "validation", clips=7, validation=6)
    train_two_steps(folder)
    return str(folder)


@pytest.mark.usefixtures("_here")
def test_the_first_champion_then_one_that_is_no_better(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"sqlite:///{tmp_path}/mlflow.db"
    client = connect(address)
    settings = [f"shards={trained}/validation", "frames=3", "shown.clips=0", f"output={tmp_path}/out"]
    asked = ["face", *settings, "--tracking-uri", address]
    for _ in range(2):
        register(f"{trained}/run", "face", "candidate", address)
    assert run_main(run, [*asked, "--candidate", "1"]) == 0
    assert "version 1 of face is the champion: the first champion; self l1 " in capsys.readouterr().out
    assert client.get_registered_model("face").tags["validation_set"].endswith("/val")
    # The same weights, so no difference at all; on the same clips, though nobody names them.
    asked.remove(settings[0])
    assert run_main(run, asked) == NOT_PROMOTED
    assert "version 2 of face is not promoted: not clearly better: self l1 against version 1 better by +0.0000" in (
        capsys.readouterr().out
    )
    assert client.get_registered_model("face").aliases == {"candidate": 2, "champion": 1}
    tags = client.get_model_version("face", "2").tags
    logged = client.get_run(tags["promotion/run"])
    assert logged.data.metrics["self/clips"] == 6
    assert {tags["promotion/run"], tags["promotion/against_run"]} <= {
        one.info.run_id for one in client.search_runs([logged.info.experiment_id])
    }


@pytest.mark.usefixtures("_here")
def test_what_does_not_fit_the_champion_is_told_before_the_work(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"sqlite:///{tmp_path}/mlflow.db"
    client = connect(address)
    for _ in range(2):
        register(f"{trained}/run", "face", "candidate", address)
    monkeypatch.setattr(evaluation, "evaluate", lambda prepared: pytest.fail("measured"))
    line = ["face", "--tracking-uri", address, f"output={tmp_path}/out"]
    assert run_main(run, line) == 2
    assert "give shards= or videos=: the clips that versions of 'face' are compared on" in capsys.readouterr().err
    client.set_registered_model_alias("face", "champion", "1")
    client.set_registered_model_tag("face", "validation_set", "another/val")
    assert run_main(run, [*line, f"shards={trained}/validation"]) == 2
    assert "are compared on set another/val" in capsys.readouterr().err
    assert run_main(run, [*line, f"shards={trained}/validation", "--metric", "lpips"]) == 2
    assert "metric=lpips is unavailable: no weights" in capsys.readouterr().err
    assert run_main(run, [*line, f"shards={trained}/shards", "split=train"]) == 2
    assert "show people the model was trained on" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("_here")
def test_an_mlflow_that_does_not_log_stops_no_promotion(
    trained: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"sqlite:///{tmp_path}/mlflow.db"
    register(f"{trained}/run", "face", "candidate", address)

    def fail(*_: object) -> str:
        raise OSError("the bucket is gone")

    monkeypatch.setattr(logged, "log_evaluation", fail)
    settings = [f"shards={trained}/validation", "frames=2", "shown.clips=0", f"output={tmp_path}/out"]
    assert run_main(run, ["face", *settings, "--tracking-uri", address]) == 0
    assert "MLflow misses the evaluation of version 1 (the bucket is gone)" in capsys.readouterr().out
    assert connect(address).get_registered_model("face").aliases["champion"] == 1


@pytest.mark.parametrize(("arguments", "why"), [
    ([], "'name' is not set"),
    (["face"], "no MLflow database"),
    (["face", "shards=s", "videos=v"], "give shards= or videos=, one of the two"),
    (["face", "shards=s", "protocols=[self]"], "unknown configuration key 'protocols'"),
    (["face", "shards=s", "--metric", "fid"], "metric=fid is no measure of single clips"),
    (["face", "shards=s"], "no MLflow database"),
])  # fmt: skip
def test_wrong_usage(
    arguments: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert run_main(run, arguments) == 2
    assert why in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
