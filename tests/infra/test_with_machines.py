"""Waiting for machines: the arithmetic, what it refuses, and a cluster that really grows from nothing."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.mlflow_server import free_port

SCRIPT = ROOT / "infra" / "with_machines.py"

HEAD_STARTS_WITHIN_S = 400.0
"""Ten seconds on an idle machine; Ray starts its processes one after the other, and each waits on a busy one."""


@pytest.fixture
def machines() -> ModuleType:
    import importlib.util

    spec = importlib.util.spec_from_file_location("with_machines", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def node(alive: bool = True, **resources: float) -> dict[str, Any]:
    """A machine as Ray tells of it."""
    return {"Alive": alive, "Resources": resources}


def test_a_place_lies_on_one_living_machine(machines: ModuleType) -> None:
    place = {"CPU": 5, "GPU": 1}
    assert machines.room_for(place, []) == 0
    assert machines.room_for(place, [node(CPU=96.0, GPU=8.0), node(CPU=14.0, GPU=8.0)]) == 8 + 2
    assert machines.room_for(place, [node(CPU=4.0, GPU=4.0), node(CPU=64.0)]) == 0
    assert machines.room_for(place, [node(alive=False, CPU=96.0, GPU=8.0)]) == 0


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script, in a process of its own: it becomes its command."""
    inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--count", "1"], "no command is given"),
        (["--count", "0", "--", "true"], "at least 1"),
        (["--", "true"], "--count"),
        (["--count", "1", "--", "true"], "RAY_ADDRESS names no Ray"),
    ],
)
def test_refuses_what_it_cannot_do(words: list[str], said: str) -> None:
    refused = run(*words)
    assert refused.returncode != 0
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


class GrowingCluster:
    """A Ray on this machine whose autoscaler adds raylets as a cloud would add machines, from none upwards.

    (Ray's own class for this, AutoscalingCluster, first stops every Ray on the machine.)
    """

    def __init__(self, folder: Path) -> None:
        from ray.util import get_node_ip_address

        # Not loopback, which Ray would replace by this address where the added raylets look for their head. The token
        # below keeps others out.
        self.address = f"{get_node_ip_address()}:{free_port()}"
        config = {
            "cluster_name": "growing",
            "max_workers": 3,
            "idle_timeout_minutes": 60,
            "provider": {"type": "fake_multinode", "gcs_address": self.address},
            "head_node_type": "ray.head.default",
            "available_node_types": {
                "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
                "worker": {
                    "resources": {"CPU": 2, "object_store_memory": 100_000_000},
                    "node_config": {},
                    "min_workers": 0,
                    "max_workers": 3,
                },
            },
            "auth": {},
            "file_mounts": {},
            "cluster_synced_files": [],
            "setup_commands": [],
            "worker_setup_commands": [],
            "worker_start_ray_commands": [],
        }
        file = folder / "cluster.json"
        file.write_text(json.dumps(config))
        self.environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "for-this-test-only"}
        words = [
            *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"),
            *(f"--port={self.address.rpartition(':')[2]}", "--num-cpus=0"),
            *(f"--temp-dir={folder / 'ray'}", "--include-dashboard=false", f"--autoscaling-config={file}"),
            *("--object-store-memory=100000000", f"--dashboard-agent-listen-port={free_port()}"),
        ]
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            words,
            stdout=self._log,
            stderr=self._log,
            env=os.environ
            | self.environment
            | {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_raylet_start_wait_time_s": "120"},
        )

    def close(self) -> None:
        """End all of it."""
        import psutil

        parent = psutil.Process(self._process.pid)
        for process in [*parent.children(recursive=True), parent]:
            process.kill()
        self._process.wait()
        self._log.close()


@pytest.fixture
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GrowingCluster]:
    import tempfile

    # Short, because sockets lie in it and their names may have a hundred letters.
    with tempfile.TemporaryDirectory(prefix="liax-") as folder:
        cluster = GrowingCluster(Path(folder))
        try:
            yield cluster
        finally:
            cluster.close()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_cluster_grows_from_nothing_and_then_the_command_runs(growing: GrowingCluster) -> None:
    code = "import ray; ray.init('auto', log_to_driver=False); print('cores', int(ray.cluster_resources()['CPU']))"
    place = ["--count", "2", "--cpus", "2", "--wait-minutes", "5", "--", sys.executable, "-c", code]
    deadline = time.monotonic() + HEAD_STARTS_WITHIN_S
    environment = growing.environment | {"RAY_ADDRESS": growing.address}
    while (done := run(*place, **environment)).returncode and time.monotonic() < deadline:
        time.sleep(1)  # the head is still starting
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "cores 4"
    assert "room for 2 × 2 CPU" in done.stderr
    # More than the cluster may have: given up, in one line.
    wanting = run("--count", "9", "--cpus", "2", "--wait-minutes", "0.1", "--", "true", **environment)
    assert wanting.returncode == 1
    assert "of 9 × 2 CPU after 0.1 minutes" in wanting.stderr
