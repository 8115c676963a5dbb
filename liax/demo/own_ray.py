"""A Ray of one's own on this machine, and jobs sent to it by the Ray Jobs API, as they would be to a cluster."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
NOT_UPLOADED = [".venv", ".setup", ".git", "runs", "docs", "tests", "**/__pycache__"]


@contextmanager
def own_ray() -> Iterator["JobSubmissionClient"]:
    """Start a Ray that listens on loopback only, and stop it whatever happens.

    Raises:
        JobError: Ray does not start.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # a busy machine needs longer than half a minute
    os.environ.pop("RAY_ADDRESS", None)  # a cluster that the user works with must not get the demo's jobs
    # Jobs start `python`: it must be this one, also when its environment is not activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    import ray
    from ray.job_submission import JobSubmissionClient

    logging.getLogger("ray.dashboard").setLevel(logging.WARNING)  # it announces every upload and closed connection
    try:
        context = ray.init(
            address="local",
            num_cpus=max(LEAST_CPUS, os.cpu_count() or 1),
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            dashboard_port=_free_port(),
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
        client = JobSubmissionClient(f"http://{context.dashboard_url}")
    except (RuntimeError, ConnectionError, OSError) as error:
        raise JobError(
            f"Ray did not start: {_first_line(error)}; its logs are in /tmp/ray/session_latest/logs"
        ) from None
    try:
        yield client
    finally:
        ray.shutdown()


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
    import shlex

    from ray.job_submission import JobStatus

    job_id = client.submit_job(
        entrypoint=shlex.join(["python", *command]),
        runtime_env={
            "working_dir": str(root),
            "excludes": NOT_UPLOADED,
            "env_vars": {"LIAX_PROGRESS": "json", "RAY_USAGE_STATS_ENABLED": "0"},
        },
    )
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
