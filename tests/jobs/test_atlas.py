"""`liax atlas`: what a wrong command line gets, and a run on Ray whose worker is killed and that is repeated."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from jobs.atlas import run
from liax import storage
from liax.controls_file import read_controls
from liax.errors import run_main
from tests.conftest import ROOT
from tests.job_runs import MARK, Processes, command, kill
from tests.liax.atlas.copying_model import DIRECTIONS, make_copying_model, talks
from tests.liax.evaluation.evaluated import make_model
from tests.moving_shapes import write_shapes


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["model=m", "output={out}"], "give shards= or videos=, one of the two"),
        (["model=m", "shards=s"], "'output' is not set"),
        (["model=m", "output={out}", "shards=s", "levels=6"], "levels must be odd"),
        (["model=m", "output={out}", "shards=s", "identites=8"], "did you mean 'identities'"),
        (["model={out}/none", "output={out}", "shards=s"], "no model in"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(run, [argument.format(out=tmp_path / "out") for argument in arguments]) == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("error: ")
    assert says in message
    assert "\n" not in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ([], "there are 5 people, fewer than identities=32: give clips of more people, or identities=5"),
        (["split=train", "identities=4"], "may be what {model} was trained on"),
        (["identities=4", "compare=[{out}]"], "cannot compare with {out}: no such file"),
        (["identities=4", "networks.landmarks68={out}/none.dat"], "no such file: {out}/none.dat"),
    ],
)
def test_bad_input_is_told_before_the_work(
    settings: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = make_model(tmp_path / "model"), tmp_path / "out"
    shards = write_shapes(tmp_path / "shards", clips=9, validation=5)
    given = [setting.format(out=out) for setting in settings]
    assert run_main(run, [f"model={model}", f"shards={shards}", f"output={out}", *given]) == 2
    message = capsys.readouterr().err.strip()
    assert says.format(model=model, out=out) in message
    assert "\n" not in message
    assert not out.exists()


def test_dry_run_prints_the_whole_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_main(run, ["model=m", "output=o", "shards=s", "identities=8", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "identities: 8" in printed
    assert "frames_per_clip: 48" in printed


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_a_killed_run_continues_to_the_same_bytes(tmp_path: Path, s3_bucket: str) -> None:
    """One run whose worker is killed, then which is killed itself and repeated; and one on S3 that is left alone."""
    model, videos = make_copying_model(tmp_path / "model"), talks(tmp_path / "talks")
    mark = uuid.uuid4().hex
    environment = os.environ | {MARK: mark}
    whole = f"{s3_bucket}/whole"

    def line(output: str) -> list[str]:
        settings = [f"model={model}", f"videos={videos}", f"output={output}", "identities=4", "least_frames=8"]
        settings += ["frames_per_clip=4", "levels=5", "strips.levels=3", "strips.people=1", "workers=2"]
        return [sys.executable, "-m", "jobs.atlas", *settings, "tracking.uri=none"]

    def records() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out/work/traced").glob("*.npz")}

    killed_worker = False
    first = subprocess.Popen(
        line(str(tmp_path / "out")), cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        deadline = time.monotonic() + 400
        while len(records()) < 8 or not killed_worker:
            assert first.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            actors = [pid for pid in Processes().marked(MARK, mark) if "TraceItem" in command(pid)]
            if records() and not killed_worker and actors:
                killed_worker = kill(actors[0])  # Ray begins its work again
            time.sleep(0.05)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait(60)
        for pid in Processes().marked(MARK, mark):
            kill(pid)
    assert killed_worker
    before = records()
    assert 8 <= len(before) < 24
    for output in (str(tmp_path / "out"), whole):
        done = subprocess.run(line(output), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        if output != whole:
            assert f"{len(before)} of 24 were done before" in done.stdout
    after = records()
    assert {name: after[name] for name in before} == before, "what was finished was traced again"
    for name in ("response.npz", "controls.json"):
        assert (tmp_path / "out" / name).read_bytes() == storage.read_bytes(f"{whole}/{name}"), name
    controls = read_controls(str(tmp_path / "out/controls.json"))
    assert controls.directions == DIRECTIONS
    page = (tmp_path / "out/index.html").read_text()
    assert "direction" in page
