"""`liax evaluate`: what a wrong command line gets, and a run on Ray whose worker is killed and that is repeated."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from jobs.evaluate import run
from liax.errors import run_main
from tests.conftest import ROOT
from tests.job_runs import MARK, Processes, command, kill
from tests.liax.evaluation.evaluated import make_model
from tests.moving_shapes import write_shapes


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["model=m", "output={out}"], "give shards= or videos=, one of the two"),
        (["model=m", "output={out}", "shards=s", "videos=v"], "give shards= or videos=, one of the two"),
        (["model=m", "shards=s"], "'output' is not set"),
        (["model=m", "output={out}", "shards=s", "faces.evry=2"], "did you mean 'every'"),
        (["model={out}/none", "output={out}", "shards=s"], "no model in"),
        (["model=models:/face@champion", "output={out}", "shards=s", "tracking.uri=sqlite:////nowhere/x.db"], "MLflow"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(run, [argument.format(out=tmp_path / "out") for argument in arguments]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("error: ")
    assert says in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


def test_dry_run_prints_the_whole_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(run, ["model=m", "output=o", "shards=s", "cross.mode=absolute", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "mode: absolute" in printed
    assert "fid_frames: 16" in printed


@pytest.mark.slow
def test_a_killed_run_continues_where_it_stopped(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    shards = write_shapes(tmp_path / "shards", clips=9, validation=8)
    output, mark = tmp_path / "out", uuid.uuid4().hex
    settings = [f"model={model}", f"shards={shards}", f"output={output}", "workers=1", "frames=6", "shown.clips=1"]
    line = [sys.executable, "-m", "jobs.evaluate", *settings, "tracking.uri=none"]
    environment = os.environ | {MARK: mark}

    def records() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (output / "work" / "done").glob("*.json")}

    killed_worker = False
    first = subprocess.Popen(line, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 480
        while len(records()) < 4 or not killed_worker:
            assert first.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            actors = [pid for pid in Processes().marked(MARK, mark) if "MeasureTrial" in command(pid)]
            if records() and not killed_worker and actors:
                killed_worker = kill(actors[0])  # Ray begins its trial again
            time.sleep(0.05)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait(60)
        for pid in Processes().marked(MARK, mark):
            kill(pid)
    assert killed_worker
    before = records()
    assert 4 <= len(before) < 16
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of 16 trials were measured before" in done.stdout
    after = records()
    assert len(after) == 16
    assert {name: after[name] for name in before} == before, "a finished trial was measured again"
    results = json.loads((output / "summary.json").read_text())["results"]
    assert {protocol: found["clips"] for protocol, found in results.items()} == {"self": 8, "cross": 8}
    assert all(not found["left_out"] for found in results.values())
