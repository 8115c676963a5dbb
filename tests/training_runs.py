"""Training as a process of its own, to be killed, on a Ray cluster of several nodes on loopback; and what it left."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load
from torch import Tensor

from liax import storage
from liax.config import to_yaml
from liax.training.checkpoint import latest_checkpoint
from liax.training.config import TrainConfig
from liax.training.loop import train
from liax.training.place import alone
from tests.conftest import ROOT
from tests.job_runs import MARK, Processes, command, kill

WORKER = "RayTrainWorker"
"""Part of the name that Ray gives the process of a training worker."""

JOB = ("-m", "jobs.train")
TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node", "2", *JOB)
SOON_RESIZED = (
    "-c",
    "import sys; from jobs.train import run; from liax.errors import run_main; from liax.training import ray_trainer;"
    "ray_trainer.RESIZE_EVERY_S = 1.0; sys.exit(run_main(run))",
)
"""Three ways to start a training; in the last, Ray looks every second whether there can be more workers."""

SLOWLY = {"generator": {"lr": 1e-5}, "discriminator": {"lr": 1e-5}}
"""An optimizer with which rounding stays rounding. At the usual rate, Adam without momentum steps by a gradient's sign,
and a tiny network's L1 is off by 1e-2 five steps after a difference of 5e-6."""
ROUNDING = 1e-3
"""Relative difference of L1 with `SLOWLY`. Workers add gradients up in another order than one does. The L1 of two
neighbouring steps differs by a hundred times as much, so that pairs in a wrong order are found."""

UNTIMED = (
    "loss", "l1", "adversarial", "sparsity", "discriminator", "r1", "gradient/", "val/", "dictionary/", "skipped",
)  # fmt: skip
"""Beginnings of the names of numbers that are the same whenever and wherever a step is computed."""


def configure(shards_url: str, output: Path, **changes: Any) -> TrainConfig:
    """A tiny training in which every kind of step comes: without and with the discriminator, and with R1."""
    values: dict[str, Any] = {
        "shards": shards_url,
        "output": str(output),
        "batch": 8,
        "steps": 12,
        "model": {"preset": "tiny"},
        "loss": {"perceptual": "none", "adversarial_start_step": 2, "r1_every": 3},
        "checkpoint": {"every_steps": 3},
        "tracking": {"uri": "none", "every_steps": 1, "pictures": 1, "validation_pairs": 2, "video_frames": 0},
    }
    return TrainConfig.model_validate(values | changes)


def train_undisturbed(config: TrainConfig) -> None:
    """The same training by one process, to its end, with nothing in its way."""
    values = config.model_dump() | {"run_on": "process", "workers": 1, "least_workers": None, "engine": "plain"}
    train(TrainConfig.model_validate(values | {"zero_stage": None}), alone(), lambda step, numbers: None)


def curve(output: Path | str) -> list[dict[str, float]]:
    """Every step's numbers that do not depend on time or place."""
    text = storage.read_bytes(storage.join(str(output), "metrics.jsonl")).decode()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    return [{name: value for name, value in line.items() if name.startswith(UNTIMED)} for line in lines]


def tensors(output: Path | str) -> dict[str, Tensor]:
    """All of the last checkpoint but the random state, by file and name."""
    saved = latest_checkpoint(str(output))
    assert saved is not None
    files = [name for name in saved.state.files if name.endswith(".safetensors") and name != "random.safetensors"]
    read = {name: load(storage.read_bytes(storage.join(saved.url, name))) for name in files}
    return {f"{name}:{key}": tensor for name in files for key, tensor in read[name].items()}


def assert_same(output: Path | str, undisturbed: Path | str) -> None:
    """Bit for bit: every step's numbers and the last checkpoint."""
    assert curve(output) == curve(undisturbed)
    found, wanted = tensors(output), tensors(undisturbed)
    assert found.keys() == wanted.keys()
    assert not [name for name, tensor in found.items() if not tensor.equal(wanted[name])]


def assert_near(output: Path, undisturbed: Path) -> None:
    """Every step's L1, to rounding."""
    found, wanted = ([step["l1"] for step in curve(folder)] for folder in (output, undisturbed))
    assert len(found) == len(wanted)
    assert max(abs(math.log(one / other)) for one, other in zip(found, wanted, strict=True)) < ROUNDING


class TrainJob:
    """`jobs.train` as a process of its own.

    Args:
        config: of the training; the file goes beside the output, with the log.
        environment: variables beside this process's own, for example RAY_ADDRESS.
        words: what Python is to run.
    """

    def __init__(self, config: TrainConfig, environment: Mapping[str, str], words: tuple[str, ...] = JOB) -> None:
        output = Path(config.output)
        self.log = output.with_name(f"{output.name}.log")
        settings = output.with_name(f"{output.name}.yaml")
        settings.write_text(to_yaml(config))
        own = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *words, "--config", str(settings)],
                cwd=ROOT,
                env=own | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def running(self) -> bool:
        """Whether the driver lives."""
        return self.process.poll() is None

    def said(self) -> str:
        """All that the driver has printed."""
        return self.log.read_text(errors="replace")

    def finish(self, limit_s: float = 240) -> None:
        """Wait for success. Raises AssertionError with the end of what was printed."""
        assert self.end(limit_s) == 0, self.said()[-3000:]

    def end(self, limit_s: float = 240) -> int | None:
        """Wait for the end and return the exit code; None, and kill it, if there is none."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self) -> None:
        """As a machine that loses power would end the driver."""
        if self.running():
            self.process.kill()
        self.process.wait()


@contextmanager
def started(config: TrainConfig, environment: Mapping[str, str], words: tuple[str, ...] = JOB) -> Iterator[TrainJob]:
    """A job that does not outlive the test."""
    job = TrainJob(config, environment, words)
    try:
        yield job
    finally:
        if job.running():
            os.killpg(job.process.pid, signal.SIGKILL)
        job.process.wait()


def steps_done(output: Path) -> int:
    """The last step of which there are records."""
    parts = sorted((output / "metrics").glob("[!.]*")) if (output / "metrics").is_dir() else []
    lines = []
    for part in parts:
        with suppress(FileNotFoundError):  # a training that begins again has just put it away
            lines += [line for line in part.read_text().splitlines() if line.endswith("}")]
    return max((json.loads(line)["step"] for line in lines), default=0)


def wait_for_step(job: TrainJob, output: Path, step: int, limit_s: float = 240) -> None:
    """Return when a step was recorded. Raises AssertionError if the job ends before."""
    deadline = time.monotonic() + limit_s
    while steps_done(output) < step:
        assert job.running(), job.said()[-3000:]
        assert time.monotonic() < deadline, f"no step {step}: {job.said()[-3000:]}"
        time.sleep(0.02)


class Nodes:
    """A Ray cluster on loopback: a head that computes nothing, and nodes of one core each.

    Args:
        count: of nodes.
    """

    def __init__(self, count: int) -> None:
        from ray.cluster_utils import Cluster

        self._memory_bytes = 100 * 1024 * 1024
        head = {"num_cpus": 0, "object_store_memory": self._memory_bytes, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.nodes = [self.add() for _ in range(count)]
        self.environment = {"RAY_ADDRESS": str(self._cluster.address)}

    def add(self) -> Any:
        """Let a node join, which is returned but not kept in `nodes`."""
        return self._cluster.add_node(num_cpus=1, object_store_memory=self._memory_bytes)

    def grow(self) -> None:
        """Let a node join."""
        self.nodes.append(self.add())

    def lose(self, node: Any) -> None:
        """SIGKILL of a node's raylet and all its processes."""
        seen, raylet = Processes(), _raylet(node)
        for pid in [*seen.below(raylet), raylet]:
            kill(pid)
        self._cluster.remove_node(node, allow_graceful=False)
        self.nodes.remove(node)

    def workers(self) -> dict[int, Any]:
        """The node of each training worker, by its process."""
        seen = Processes()
        return {pid: node for node in self.nodes for pid in seen.below(_raylet(node)) if WORKER in command(pid)}

    def drain(self, node: Any, seconds: int) -> None:
        """Tell Ray, as a cloud's notice would, that a node will be gone after so many seconds."""
        words = ["ray", "drain-node", "--address", self.environment["RAY_ADDRESS"], "--node-id", node.node_id]
        words += ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "spot"]
        words += ["--deadline-remaining-seconds", str(seconds)]
        subprocess.run([sys.executable, "-m", *_as_module(words)], check=True, capture_output=True, timeout=120)

    def close(self) -> None:
        """End all of it."""
        self._cluster.shutdown()


def _as_module(words: list[str]) -> list[str]:
    return ["ray.scripts.scripts", *words[1:]]


def _raylet(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


@contextmanager
def cluster(count: int) -> Iterator[Nodes]:
    """A cluster of so many nodes beside its head."""
    with pytest.MonkeyPatch.context() as patch:
        # Ray's processes inherit it; by it, what a worker started is told from everything else on this machine.
        patch.setenv(MARK, "training")
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("RAY_raylet_start_wait_time_s", "120")  # as in liax.ray_session
        nodes = Nodes(count)
    try:
        yield nodes
    finally:
        nodes.close()
