"""`liax doctor` on a Ray of three nodes on loopback, one of which has another version of a library."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from liax import storage
from tests.cluster.machines import Submitted
from tests.cluster.machines import cluster as several_machines
from tests.conftest import ROOT
from tests.job_runs import write_talks
from tests.ports import free_port

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]

ODD = "av"
"""What one node has in another version; both preprocessing and training look at it."""


class Cluster:
    """A head that computes nothing, a node, and a node with another version of `ODD`."""

    def __init__(self, folder: Path) -> None:
        from ray.cluster_utils import Cluster as RayCluster

        metadata = folder / f"{ODD}-0.0.1.dist-info" / "METADATA"
        metadata.parent.mkdir(parents=True)
        metadata.write_text(f"Metadata-Version: 2.1\nName: {ODD}\nVersion: 0.0.1\n")
        size = {"object_store_memory": 100 * 1024**2}
        head = {"num_cpus": 0, "include_dashboard": False, **size}
        self._cluster = RayCluster(initialize_head=True, head_node_args=head)
        self.usual = self._cluster.add_node(num_cpus=1, **size)
        # Found before the installed one, by all processes of this node.
        own = {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
        self.odd = self._cluster.add_node(num_cpus=1, env_vars=own, **size)
        self.environment = {"RAY_ADDRESS": str(self._cluster.address)}

    def signal(self, node: object, number: signal.Signals) -> None:
        """To a node's raylet."""
        os.kill(node.all_processes["raylet"][0].process.pid, number)  # type: ignore[attr-defined]

    def close(self) -> None:
        """End all of it."""
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def cluster(s3_bucket: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Its nodes know the S3 server of `s3_bucket`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_raylet_start_wait_time_s", "120")  # as in liax.ray_session
        patch.setenv("OMP_NUM_THREADS", "1")
        # So that the doctor's own limit comes before Ray gives up a node that hangs.
        patch.setenv("RAY_health_check_failure_threshold", "100")
        made = Cluster(tmp_path_factory.mktemp("odd"))
    try:
        yield made
    finally:
        made.close()


def call(cluster: Cluster, job: str, *words: str) -> subprocess.CompletedProcess[str]:
    """A job as a process of its own, on the cluster."""
    environment = os.environ | cluster.environment | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"jobs.{job}", *words]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_it_says_what_is_wrong_and_how_to_mend_it(cluster: Cluster, tmp_path: Path) -> None:
    mlflow = f"http://127.0.0.1:{free_port()}"
    done = call(cluster, "doctor", "nodes=4", f"output={tmp_path}", "transfer_mib=1", f"tracking.uri={mlflow}")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if "WRONG" in line]
    assert len(wrong) == 3
    assert "3 of 4 are there" in wrong[0]
    assert f"{ODD} 0.0.1 instead of" in wrong[1]
    assert f"no MLflow at {mlflow}" in wrong[2]
    assert all("->" in lines[lines.index(line) + 1] or "->" in lines[lines.index(line) + 2] for line in wrong)
    assert "2 workers add up right by Gloo" in done.stdout
    assert "all 3 nodes: each reaches each other at a free port" in done.stdout
    assert lines[-1].startswith("Mend first: nodes, versions, MLflow.")
    assert max(len(line) for line in lines) <= 120
    assert list(tmp_path.iterdir()) == [], "nothing is left in the output"


@pytest.mark.slow
def test_every_node_uses_s3_and_a_program_can_read_what_was_found(cluster: Cluster, s3_bucket: str) -> None:
    storage.write_bytes(f"{s3_bucket}/faces/000.tar", bytes(1000))
    words = [f"output={s3_bucket}/runs", f"shards={s3_bucket}/faces", "transfer_mib=1", "--json"]
    done = call(cluster, "doctor", *words)
    found = json.loads(done.stdout)
    by_check = {one["check"]: one for one in found["findings"] if one["state"] != "wrong"}
    for check in ("output", "shards"):
        assert by_check[check]["state"] == "ok"
        assert len(by_check[check]["nodes"]) == 3
    assert found["state"] == "wrong"
    assert found["counts"]["wrong"] == 1, "the version alone"
    assert storage.list_if_there(f"{s3_bucket}/runs") == []


def test_jobs_refuse_the_node_with_another_version_in_one_line(cluster: Cluster, tmp_path: Path) -> None:
    write_talks(tmp_path / "videos", 1)
    done = call(cluster, "preprocess", f"input={tmp_path / 'videos'}", f"output={tmp_path / 'faces'}")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert f"has other versions than the start of this job: {ODD} 0.0.1 instead of" in line
    assert "liax doctor" in line


@pytest.mark.slow
def test_a_training_refuses_it_too(cluster: Cluster, tmp_path: Path) -> None:
    from liax.config import to_yaml
    from tests.moving_shapes import write_shapes
    from tests.training_runs import configure

    config = configure(write_shapes(tmp_path / "shapes"), tmp_path / "run", workers=2)
    (tmp_path / "run.yaml").write_text(to_yaml(config))
    done = call(cluster, "train", "--config", str(tmp_path / "run.yaml"))
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert f"has other versions than the start of this job: {ODD} 0.0.1 instead of" in line


@pytest.mark.slow
def test_a_node_that_hangs_is_told_and_the_others_are_checked(cluster: Cluster) -> None:
    cluster.signal(cluster.odd, signal.SIGSTOP)
    try:
        done = call(cluster, "doctor", "limit_s=90", "--json")
    finally:
        cluster.signal(cluster.odd, signal.SIGCONT)
    found = json.loads(done.stdout)["findings"]
    (silent,) = [one for one in found if one["check"] == "answer"]
    assert silent["state"] == "wrong"
    assert silent["seen"] == "no answer within 90 s"
    assert len(silent["nodes"]) == 1
    (network,) = [one for one in found if one["check"] == "network"]
    assert len(network["nodes"]) == 2


def test_another_ray_is_one_line(cluster: Cluster) -> None:
    code = (
        "import sys, ray; ray.__version__ = '2.1.0'; from jobs.doctor import run; from liax.errors import run_main;"
        "sys.exit(run_main(run, []))"
    )
    environment = os.environ | cluster.environment | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: Version mismatch: The cluster was started with: Ray: ")
    assert "Ray: 2.1.0" in line


@pytest.mark.slow
def test_it_is_a_job_like_the_others(tmp_path: Path) -> None:
    output, log = tmp_path / "output", tmp_path / "job.log"
    output.mkdir()
    with several_machines(workers=2, cores=1) as machines:
        words = ["ray", "job", "submit", "--working-dir", ".", "--", "python", "jobs/doctor.py"]
        job = Submitted(machines, [*words, "nodes=3", f"output={output}", "transfer_mib=1"], log)
        try:
            job.finish()
        finally:
            job.stop()
    assert "2 workers add up right by Gloo" in job.said()
    assert "Nothing is wrong" in job.said()
