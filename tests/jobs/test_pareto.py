"""`liax pareto`: what a wrong command line gets, what it tells, what MLflow gets, and a run on Ray."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jobs import pareto as job
from liax import storage
from liax.atlas.pareto import Pareto, PreparedPareto, RunPoint
from liax.atlas.pareto_config import ParetoConfig
from liax.atlas.pareto_stage import ParetoWork
from liax.errors import run_main
from liax.evaluation.clips import ClipSet
from liax.evaluation.subject import Subject
from liax.model.config import preset
from liax.model.network import LiaX
from liax.model.weights import save_model
from tests.liax.atlas.copying_model import PEOPLE, SIZE_PX, talks

POINT = RunPoint(
    "runs/a", "0" * 64, 500, 0.05, 20, 0, {"hoyer_normalised": 0.31}, {"disentanglement": None}, 0.04, 24.5, True
)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["runs=[a, b]", "output={out}"], "give shards= or videos=, one of the two"),
        (["runs=[a]", "output={out}", "shards=s"], "'runs'"),
        (["runs=[a, a]", "output={out}", "shards=s"], "runs names a twice"),
        (["runs=[a, b]", "output={out}", "shards=s", "sparsity=l2"], "'sparsity'"),
        (["runs=[a, b]", "output={out}", "shards=s", "frames=8"], "frames"),
        (["runs=['{out}/none', b]", "output={out}", "shards=s"], "no model in"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(job.run, [argument.format(out=tmp_path / "out") for argument in arguments]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("error: ")
    assert says in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


def _prepared() -> PreparedPareto:
    config = ParetoConfig(runs=["runs/a", "runs/b"], output="out", shards="s")
    subjects = tuple(Subject(given=run, url=run, sha256=run, size_px=64) for run in config.runs)
    return PreparedPareto(ParetoWork("out", subjects, config), ClipSet([], "set1", []), {})


def test_runs_are_told_in_a_line_each() -> None:
    other = replace(POINT, run="runs/b", sparsity_weight=None, observation={"disentanglement": 0.4}, on_front=False)
    told = job._told(_prepared(), Pareto([POINT, other], 7, {"no_frames": 2}, []))
    assert "runs/a: 0.05, 20, 0.310, -, 0.0400, 24.50 dB  on the front" in told
    assert "runs/b: unknown, 20, 0.310, 0.400, 0.0400, 24.50 dB\n" in told
    assert "left out: 2 clips, no_frames" in told


def test_mlflow_gets_the_numbers_and_the_files(tmp_path: Path) -> None:
    from mlflow import MlflowClient

    file = tmp_path / "pareto.json"
    file.write_text("{}")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    found = Pareto([POINT, replace(POINT, run="runs/b", l1=0.05)], 7, {}, [str(file)])
    run_id = job._log(uri, "compared", _prepared(), found)
    run = MlflowClient(uri).get_run(run_id)
    assert run.data.metrics["run_00/hoyer_normalised"] == 0.31
    assert run.data.metrics["run_01/l1"] == 0.05
    assert "run_00/disentanglement" not in run.data.metrics
    assert run.data.params["runs.run_01"] == "runs/b"
    assert job._log(uri, "compared", _prepared(), found) == run_id  # the same comparison is the same run


@pytest.mark.slow
def test_on_ray_from_and_to_s3(tmp_path: Path, s3_bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    models, output = [f"{s3_bucket}/model{seed}" for seed in range(2)], f"{s3_bucket}/out"
    for seed, directions in enumerate((20, 8)):
        torch.manual_seed(seed)
        model = LiaX(preset("tiny", SIZE_PX).model_copy(update={"directions": directions}))
        save_model(model, models[seed])
    given = [f"runs=[{','.join(models)}]", f"videos={talks(tmp_path / 'talks')}", f"output={output}"]
    settings = ["frames_per_clip=4", "workers=2", "crop=false", "tracking.uri=none"]
    assert run_main(job.run, [*given, *settings]) == 0
    told = json.loads(storage.read_bytes(f"{output}/pareto.json"))
    assert told["clips"] == PEOPLE
    assert [run["directions"] for run in told["runs"]] == [20, 8]
    assert storage.size(f"{output}/pareto.png") > 5000
    assert "on the front" in "".join(capsys.readouterr())
