"""The demo from its command on: a Ray of its own, four jobs by the Jobs API, and what they leave."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from liax.synthetic.videos import write_video
from liax.video.probe import probe
from tests.conftest import ROOT


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    # PATH without this environment, as where nobody activated it.
    environment = {**os.environ, "PATH": os.defpath}
    command = [sys.executable, "-m", "jobs.main", "demo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "a.mp4", seconds=1.5, size_px=256, seed=1, audio=True)
    write_video(folder / "b.mp4", seconds=1.5, size_px=256, seed=2)
    write_video(folder / "nobody.mp4", "no_face", seconds=1.2, size_px=128)
    return folder


@pytest.mark.timeout(1200)
def test_the_whole_way_by_the_jobs_api(videos: Path, tmp_path: Path) -> None:
    done = demo("--videos", str(videos), "--output", str(tmp_path / "demo"), "--steps", "12")
    assert done.returncode == 0, done.stdout + done.stderr

    folder = tmp_path / "demo"
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["videos"] == 3
    assert summary["videos_by_result"] == {"kept": 2, "no_face": 1}
    assert summary["clips"] == 2
    assert summary["l1_last"] < summary["l1_first"]
    assert (summary["model"], summary["version"]) == ("models:/liax-demo@candidate", "1")
    parts = {"inputs", "ray", "preprocess", "train", "register", "animate"}
    assert set(summary["seconds"]) == parts | {"whole"}
    assert sum(summary["seconds"][part] for part in parts) == pytest.approx(summary["seconds"]["whole"], abs=15)

    assert {path.name for path in (folder / "shards").glob("*.tar")}
    assert "<html" in (folder / "report.html").read_text()
    assert (folder / "contact_sheet.png").stat().st_size > 1000
    result, compared = probe(folder / "animation.mp4"), probe(folder / "side_by_side.mp4")
    assert result.has_audio
    assert compared.width_px == 3 * compared.height_px

    assert re.search(r"videos +3 in, 2 used; not used: 1 no face", done.stdout)
    assert "mlflow" in done.stdout
    assert "INFO" not in done.stdout + done.stderr, "log lines bury the demo's own"


@pytest.mark.timeout(600)
def test_a_failing_job_names_its_reason_and_its_log(tmp_path: Path) -> None:
    write_video(tmp_path / "videos" / "nobody.mp4", "no_face", seconds=1.2, size_px=128)
    done = demo("--videos", str(tmp_path / "videos"), "--output", str(tmp_path / "demo"))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: preprocess: no clip came out of 1 videos")
    log = re.search(r"the whole log: (\S+)", last)
    assert log is not None
    assert "no clip came out" in Path(log[1]).read_text()
    assert "Traceback" not in done.stderr
