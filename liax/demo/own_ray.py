"""A Ray of one's own on this machine, and jobs sent to it by the Ray Jobs API, as they would be to a cluster."""

import asyncio
import logging
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from liax.demo.follow import Follower
from liax.errors import JobError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

OBJECT_STORE_BYTES = 512 * 1024 * 1024
"""Enough here, since frames never pass through it; Ray would take a third of the memory."""
LEAST_CPUS = 2
"""The demo trains on two workers, also where there is one core."""
START_S, AGENT_START_S = 180, 120
"""How long Ray, and then its agent, which starts jobs, may take to come up."""
UPLOADED = {"jobs", "liax", "pipelines", "pyproject.toml"}
"""What travels with a job; a user's videos may lie in the same folder."""


@contextmanager
def own_ray(log: Path) -> Iterator["JobSubmissionClient"]:
    """Start a Ray for one's own use, beside any other on this machine, and stop it whatever happens.

    Args:
        log: file for what Ray prints while it starts and runs.

    Raises:
        JobError: Ray does not start.
    """
    # Ray's ports can be reached from elsewhere; without this token it runs nothing. It reads both at its import.
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    from ray.job_submission import JobSubmissionClient

    logging.getLogger("ray").setLevel(logging.ERROR)  # it warns of what it leaves out of an upload
    for name in (
        "dashboard_sdk",
        "job.sdk",
    ):  # they announce every upload and closed connection, with levels of their own
        logging.getLogger(f"ray.dashboard.modules.{name}").setLevel(logging.WARNING)
    # A folder of its own: in the usual one Ray would leave its address, and the user's next ray.init() would come here.
    # Short, because sockets lie in it and their names may have a hundred letters.
    folder = Path(tempfile.mkdtemp(prefix="liax-ray-"))
    dashboard_port = _free_port()
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as file:
        ray = subprocess.Popen(
            _start_command(folder, dashboard_port), stdout=file, stderr=subprocess.STDOUT, env=_environment()
        )
        try:
            yield _connect(JobSubmissionClient, f"http://127.0.0.1:{dashboard_port}", ray, log)
        finally:
            _stop(ray)
            shutil.rmtree(folder, ignore_errors=True)


def _start_command(folder: Path, dashboard_port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"),
        *("--node-ip-address=127.0.0.1", "--port=0", f"--temp-dir={folder}"),
        *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard_port}"),
        # Every Ray's agent wants the same port unless it is told another.
        f"--dashboard-agent-listen-port={_free_port()}",
        f"--num-cpus={max(LEAST_CPUS, os.cpu_count() or 1)}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
    ]


def _environment() -> dict[str, str]:
    environment = dict(os.environ)
    environment.pop("RAY_ADDRESS", None)  # a cluster that the user works with must not get the demo's jobs
    environment.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy machine needs longer than half a minute
    # Jobs start `python`: it must be this one, also when its environment is not activated.
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    return environment


def _connect(
    client: "type[JobSubmissionClient]", address: str, ray: subprocess.Popen[bytes], log: Path
) -> "JobSubmissionClient":
    """A client, as soon as Ray answers."""
    give_up_s = time.monotonic() + START_S
    while ray.poll() is None and time.monotonic() < give_up_s:
        try:
            return client(address)
        except ConnectionError:
            time.sleep(0.5)
    raise JobError(f"Ray did not start; what it said: {log}")


def _stop(ray: subprocess.Popen[bytes]) -> None:
    """End Ray and all that it started, at once: no job is left, and asked politely Ray takes half a minute."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(ray.pid)
        for process in [*parent.children(recursive=True), parent]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    ray.wait()


def run_job(client: "JobSubmissionClient", root: Path, command: Sequence[str], log: Path, follower: Follower) -> None:
    """Send `python COMMAND…` as a job and follow it to its end.

    Args:
        client: of the Ray to send it to.
        root: the project's folder, which travels with the job.
        command: script (relative to `root`) and arguments; every path among them absolute.
        log: file that gets everything the job prints.
        follower: shows the job's progress.

    Raises:
        JobError: the job failed; names the job's own error and the log.
    """
    from ray.job_submission import JobStatus

    job_id = _submit(client, root, command)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as file:

        async def follow() -> None:
            async for text in client.tail_job_logs(job_id):
                file.write(text)
                file.flush()
                follower.feed(text)

        asyncio.run(follow())
    info = client.get_job_info(job_id)
    if info.status != JobStatus.SUCCEEDED:
        raise JobError(f"{Path(command[0]).stem}: {follower.error or info.message}; the whole log: {log}")


def _submit(client: "JobSubmissionClient", root: Path, command: Sequence[str]) -> str:
    """Send the job, as soon as Ray takes one: its agent comes up some seconds after Ray itself."""
    excludes = [f"/{entry.name}" for entry in root.iterdir() if entry.name not in UPLOADED] + ["**/__pycache__"]
    give_up_s = time.monotonic() + AGENT_START_S
    while True:
        try:
            return client.submit_job(
                entrypoint=shlex.join(["python", *command]),
                runtime_env={
                    "working_dir": str(root),
                    "excludes": excludes,
                    "env_vars": {"LIAX_PROGRESS": "json", "RAY_USAGE_STATS_ENABLED": "0"},
                },
            )
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > give_up_s:
                raise JobError(f"Ray does not take the job {command[0]}: {_first_line(error)}") from None
            time.sleep(1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
