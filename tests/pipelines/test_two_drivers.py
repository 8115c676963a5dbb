"""Two commands at once on one output: neither harms the other, and the shard set is that of one."""

import shutil
import time
from pathlib import Path

import pytest

from tests.faulty_s3 import BUCKET, serve_s3
from tests.job_runs import SOAK, Job, differences, run_job, shard_bytes, write_talks


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    write_talks(folder, 3)
    return folder


@pytest.fixture(scope="module")
def alone(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("alone")
    run_job(folder / "log", f"input={videos}", f"output={folder / 'out'}", "workers=1")
    return shard_bytes(folder / "out")


@pytest.mark.slow
@pytest.mark.parametrize("later_s", [0.0, *(3.0 * number for number in range(1, SOAK))])
def test_in_a_folder(later_s: float, videos: Path, alone: dict[str, bytes], tmp_path: Path) -> None:
    arguments = (f"input={videos}", f"output={tmp_path / 'out'}", "workers=1")
    first = Job(tmp_path / "log1", *arguments)
    time.sleep(later_s)
    second = Job(tmp_path / "log2", *arguments)
    first.finish()
    second.finish()
    assert differences(shard_bytes(tmp_path / "out"), alone) == []
    assert list((tmp_path / "out/work/clips").iterdir()) == []


@pytest.mark.slow
@pytest.mark.server
@pytest.mark.skipif(SOAK == 1, reason="the same on S3 is for LIAX_SOAK=2 and more")
def test_on_s3(videos: Path, alone: dict[str, bytes], tmp_path: Path) -> None:
    output = f"s3://{BUCKET}/out"
    with serve_s3() as server:
        server.share = 0.05
        jobs = [Job(tmp_path / f"log{number}", f"input={videos}", f"output={output}", "workers=1") for number in (1, 2)]
        for job in jobs:
            job.finish()
        server.share = 0.0
        assert differences(shard_bytes(output), alone) == []


@pytest.mark.slow
def test_one_of_two_is_killed(videos: Path, alone: dict[str, bytes], tmp_path: Path) -> None:
    """The survivor finds half of the other's work done, and perhaps a plan that the other one made."""
    output = tmp_path / "out"
    arguments = (f"input={videos}", f"output={output}", "workers=1")
    first, second = Job(tmp_path / "log1", *arguments), Job(tmp_path / "log2", *arguments)
    while first.running() and not list(output.glob("work/done/*.json")):
        time.sleep(0.05)
    first.kill()
    second.finish()
    assert differences(shard_bytes(output), alone) == []
    shutil.rmtree(output)
