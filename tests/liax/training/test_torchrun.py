"""Two processes of a real torchrun: the same curve as one process."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from liax.errors import UserError
from liax.training.torchrun import VARIABLES, of_torchrun
from tests.conftest import ROOT
from tests.moving_shapes import write_shapes
from tests.training_runs import (
    JOB,
    SLOWLY,
    TORCHRUN,
    assert_near,
    configure,
    started,
    train_undisturbed,
    wait_for_step,
)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shapes(tmp_path_factory.mktemp("shapes"))


@pytest.fixture(scope="module")
def undisturbed(shapes: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    train_undisturbed(configure(shapes, output, optimizer=SLOWLY))
    return output


@pytest.mark.slow
@pytest.mark.parametrize("engine", [{"engine": "plain"}, {"engine": "deepspeed", "zero_stage": 2}])
def test_two_processes_train_as_one_does(
    engine: dict[str, Any], shapes: str, undisturbed: Path, tmp_path: Path
) -> None:
    config = configure(shapes, tmp_path / "out", workers=2, run_on="torchrun", optimizer=SLOWLY, **engine)
    with started(config, {}, TORCHRUN) as job:
        job.finish()
    assert job.said().count("trained 12 steps") == 1
    assert_near(tmp_path / "out", undisturbed)
    with started(config, {}, TORCHRUN) as again:
        again.finish()
    assert again.said().count("is trained already") == 1


@pytest.mark.slow
def test_sigterm_saves_the_present_step_and_the_same_command_goes_on(shapes: str, tmp_path: Path) -> None:
    output = tmp_path / "out"
    # So many that they last until the signal is there, on a fast or a busy machine.
    same: dict[str, Any] = {"optimizer": SLOWLY, "steps": 40, "data": {"loader_workers": 1}}
    train_undisturbed(configure(shapes, tmp_path / "quiet", **same))
    config = configure(shapes, output, workers=2, run_on="torchrun", checkpoint={"every_steps": 1000}, **same)
    with started(config, {}, TORCHRUN) as job:
        wait_for_step(job, output, 3)
        job.process.send_signal(signal.SIGTERM)
        assert job.end()
    assert job.said().count("error:") == 1
    (saved,) = [path.name for path in (output / "checkpoints").iterdir() if path.is_dir()]
    assert f"left at step {int(saved)}" in job.said()
    with started(config, {}, TORCHRUN) as job:
        job.finish()
    assert_near(output, tmp_path / "quiet")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shards": "/nowhere"}, "/nowhere"),
        ({"optimizer": {"generator": {"lr": 1e30}}, "faults": {"skipped_in_a_row": 2}}, "were not finite"),
        ({"workers": 4}, "torchrun has started 2"),
    ],
)
def test_an_error_is_told_once(changes: dict[str, Any], said: str, shapes: str, tmp_path: Path) -> None:
    config = configure(shapes, tmp_path / "out", **{"workers": 2, "run_on": "torchrun", "shards": shapes} | changes)
    with started(config, {}, TORCHRUN) as job:
        assert job.end()
    (line,) = [line for line in job.said().splitlines() if "error: " in line]
    assert said in line


def test_sigterm_does_not_end_the_process_that_tells_the_error() -> None:
    code = (
        "import os, signal\n"
        "from liax.errors import JobError\n"
        "from liax.training.torchrun import _notice\n"
        "try:\n"
        "    with _notice():\n"
        "        raise JobError('no more memory')\n"
        "except JobError as error:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "no more memory\n"), done.stderr


def test_without_torchrun_it_says_how(tmp_path: Path) -> None:
    with started(configure(str(tmp_path), tmp_path / "out", run_on="torchrun"), {}, JOB) as job:
        assert job.end() == 2
    assert "error: run_on=torchrun needs torchrun: torchrun --nproc_per_node" in job.said()


def test_the_workers_are_torchruns_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "0" if name == "RANK" else "4")
    assert of_torchrun(configure("shards", tmp_path, run_on="torchrun")).workers == 4
    with pytest.raises(UserError, match="torchrun has started 4"):
        of_torchrun(configure("shards", tmp_path, run_on="torchrun", workers=2))
