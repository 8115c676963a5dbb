"""Preprocessing and then training, submitted to a head and two machines; each loses a machine on the way.

The commands are those of `infra/README.md`, on premises; storage is S3, and numbers go to an MLflow server.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from liax import storage
from liax.config import load_config
from liax.tracking.client import connect
from liax.training.checkpoint import latest_checkpoint
from liax.training.config import TrainConfig
from liax.training.run import read_run
from tests.cluster.machines import Machines, adapted, cluster, readme_command, submitted, wait_until
from tests.conftest import ROOT
from tests.job_runs import SETTINGS, differences, run_job, shard_bytes, write_talks
from tests.mlflow_server import MlflowServer
from tests.training_runs import TORCHRUN, WORKER, assert_same, started

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.timeout(1500)]  # machines take their time to start

VIDEOS = 12
STEPS = 60
STAGE = "ray::Map"
"""How Ray names the processes that do a stage's work."""

PRODUCTION, TINY = "jobs/configs/train_base_512.yaml", "jobs/configs/train_tiny.yaml"
TRAINING = (f"steps={STEPS}", "cpus_per_worker=2", "checkpoint.every_steps=5", "loss.adversarial_start_step=10")
"""Two cores are all of a machine, so that there is one worker on each."""


@pytest.fixture(scope="module")
def machines(s3_bucket: str) -> Iterator[Machines]:
    """A head and machines 2 and 3. They inherit S3's address and credentials from their environment."""
    with cluster(workers=2, cores=2) as machines:
        yield machines


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow")).start()
    yield server.uri
    server.kill()


@pytest.fixture(scope="module")
def videos(s3_bucket: str, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the videos under `videos` in the bucket."""
    folder = tmp_path_factory.mktemp("videos")
    write_talks(folder, VIDEOS)
    for video in folder.iterdir():
        storage.upload(video, f"{s3_bucket}/videos/{video.name}")
    return {video.name for video in folder.iterdir()}


@pytest.fixture(scope="module")
def faces(machines: Machines, s3_bucket: str, videos: set[str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The shards of a preprocessing in the middle of which machine 3 was lost."""
    output = f"{s3_bucket}/faces"
    words = adapted(readme_command("ray job submit", "jobs/preprocess.py"), {"/data/": f"{s3_bucket}/"})
    with submitted(machines, [*words, *SETTINGS], tmp_path_factory.mktemp("preprocess") / "log") as job:
        wait_until(lambda: bool(storage.list_if_there(f"{output}/work/done")), job, "a finished segment")
        wait_until(lambda: bool(machines.processes(3, STAGE)), job, "work on machine 3")
        machines.lose(3)
        assert len(storage.list_if_there(f"{output}/work/done")) < VIDEOS, "lost too late to show anything"
        job.finish()
        assert "Traceback" not in job.said()
    return output


def test_preprocessing_survives_the_loss_of_a_machine(
    faces: str, s3_bucket: str, videos: set[str], tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    given = ["--config", "jobs/configs/preprocess.yaml", f"input={s3_bucket}/videos", f"output={tmp_path / 'quiet'}"]
    run_job(tmp_path / "log", *given, "workers=2")
    assert differences(shard_bytes(faces), shard_bytes(tmp_path / "quiet")) == []
    with storage.local_copy(f"{faces}/outcomes.parquet") as file:
        rows = pq.read_table(file).to_pylist()
    assert {Path(row["source_uri"]).name for row in rows} == videos
    assert len([row for row in rows if row["reason"] == "kept"]) == VIDEOS + 1, "the first video has two faces"
    assert storage.list_if_there(f"{faces}/work/clips") == []


def test_training_survives_the_loss_of_a_machine(
    machines: Machines, faces: str, mlflow: str, s3_bucket: str, tmp_path: Path
) -> None:
    output = f"{s3_bucket}/runs/base"
    machines.start(4)  # for the one that preprocessing has lost
    here = {
        PRODUCTION: TINY,
        "/data/": f"{s3_bucket}/",
        "workers=16": "workers=2",
        "least_workers=8": "least_workers=2",
        "http://10.0.0.1:5000": mlflow,
    }
    words = adapted(readme_command("ray job submit", "jobs/train.py"), here)
    with submitted(machines, [*words, *TRAINING], tmp_path / "log") as job:
        wait_until(lambda: latest_checkpoint(output) is not None, job, "a checkpoint")
        assert [len(machines.processes(number, WORKER)) for number in (1, 2, 4)] == [0, 1, 1]
        machines.lose(4)
        wait_until(lambda: "training waits for machines" in job.said(), job, "a word about the loss")
        machines.start(5)
        wait_until(lambda: bool(machines.processes(5, WORKER)), job, "a worker on the machine that has joined")
        job.finish()
        assert "Traceback" not in job.said()
        assert "start again from the checkpoint of step" in job.said()
    own = [f"shards={faces}", f"output={tmp_path / 'quiet'}", "tracking.uri=none", "run_on=torchrun"]
    with started(load_config(TrainConfig, str(ROOT / TINY), [*own, *TRAINING]), {}, TORCHRUN) as quiet:
        quiet.finish()
    assert_same(output, tmp_path / "quiet")
    record = read_run(output)
    assert record is not None
    client = connect(mlflow)
    assert client.get_run(record.mlflow_run_id).info.status == "FINISHED"
    logged = [number.step for number in client.get_metric_history(record.mlflow_run_id, "l1")]
    assert logged == list(range(1, STEPS + 1)), "each once, though some steps were done twice"
