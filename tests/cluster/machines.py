"""A Ray cluster of several machines: each an address on loopback, with a raylet, processes and a folder of its own.

They are started, and jobs are sent to them, by the commands of `infra/README.md`, with other addresses and sizes.
"""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.conftest import ROOT
from tests.infra.files import INFRA, blocks, commands_in
from tests.job_runs import MARK, Processes, command, kill
from tests.ports import free_port

SECTION = "On premises, `ray start`"
"""The part of the README whose commands are run: the one that takes machines as they are."""

NETWORK = "127.0.1."
"""Stands for the README's `10.0.0.`. All of 127.0.0.0/8 is loopback, but 127.0.0.1 itself Ray replaces by an address
that can be reached from elsewhere."""

START_S = 300
"""How long a machine may take to join, here where the cores are busy."""


def readme_command(*parts: str) -> list[str]:
    """The one command of the section that has all these parts, as words."""
    (section,) = re.findall(rf"^## {re.escape(SECTION)}\n(.*?)^## ", (INFRA / "README.md").read_text(), re.M | re.S)
    commands = [words for block in blocks(section) for words in commands_in(block)]
    (found,) = [words for words in commands if all(part in " ".join(words) for part in parts)]
    return found


def adapted(words: Sequence[str], changes: Mapping[str, str]) -> list[str]:
    """A command with parts of its words replaced, all of which must be there."""
    text = "\0".join(words)
    for part, other in changes.items():
        assert part in text, f"{part} is not in {words}"
        text = text.replace(part, other)
    return text.split("\0")


class Machines:
    """The machines of a cluster by their numbers, as the README counts them: 1 is the head.

    Args:
        cores: of each machine but the head, which has none to offer.
    """

    def __init__(self, cores: int) -> None:
        self._cores, self._mark = cores, uuid.uuid4().hex
        # Not in the test's folder: sockets lie in it, and their names may have a hundred letters.
        self._folder = Path(tempfile.mkdtemp(prefix="liax-"))
        self._port, dashboard_port = free_port(), free_port()
        self._ports = [f"--dashboard-port={dashboard_port}", f"--ray-client-server-port={free_port()}"]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "MLFLOW_"))}
        self.environment = inherited | {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard_port}",
            "RAY_raylet_start_wait_time_s": str(START_S),
            "OMP_NUM_THREADS": "1",
            # As with an activated environment: for `ray`, and for the `python` of jobs.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        }
        self._started = set[int]()

    def start(self, number: int) -> None:
        """Let a machine join; the head must be the first."""
        self._started.add(number)
        addresses = {"10.0.0.1:6379": f"{NETWORK}1:{self._port}", "--node-ip-address=10.0.0.2": self._address(number)}
        if number == 1:
            words = readme_command("ray start", "--head")
            addresses = {"--port=6379": f"--port={self._port}", "--node-ip-address=10.0.0.1": self._address(number)}
            own = self._ports
        else:
            words = readme_command("ray start", "--address=")
            own = [f"--num-cpus={self._cores}", f'--resources={{"machine{number}": 1}}']
        # Every Ray of this machine wants the same port for its agent.
        own = [*own, f"--temp-dir={self._folder / str(number)}", f"--dashboard-agent-listen-port={free_port()}"]
        words = adapted(words, addresses | {"=2000000000": "=200000000"})
        self.ray(*words[1:], *own, environment={MARK: self._mark_of(number)})

    def _address(self, number: int) -> str:
        return f"--node-ip-address={NETWORK}{number}"

    def _mark_of(self, number: int) -> str:
        return f"{self._mark}-{number}"

    def ray(self, *words: str, environment: Mapping[str, str] | None = None) -> str:
        """What a command of `ray` prints. Raises AssertionError if it fails."""
        # Into a file, not a pipe: what `ray start` leaves running would hold a pipe open.
        with tempfile.TemporaryFile("w+") as output:
            code = subprocess.run(
                ["ray", *words],
                env=self.environment | dict(environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=2 * START_S,
                check=False,
                start_new_session=True,
            ).returncode
            output.seek(0)
            said = output.read()
        assert code == 0, f"ray {' '.join(words)}: {said[-3000:]}"
        return said

    def processes(self, number: int, name: str) -> list[int]:
        """A machine's processes with such a part of the command line."""
        return [pid for pid in Processes().marked(MARK, self._mark_of(number)) if name in command(pid)]

    def lose(self, number: int) -> None:
        """SIGKILL of all that runs on a machine, its raylet first: it has lost its power."""
        (raylet,) = self.processes(number, "/raylet/raylet ")
        kill(raylet)
        self._end(number)
        self._started.discard(number)

    def close(self) -> None:
        """End all of it, and leave nothing."""
        for number in self._started:
            self._end(number)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, number: int) -> None:
        while left := Processes().marked(MARK, self._mark_of(number)):  # again, for what was just starting others
            for pid in left:
                kill(pid)


@contextmanager
def cluster(workers: int, cores: int) -> Iterator[Machines]:
    """A head and so many machines, numbered from 2, with so many cores each."""
    machines = Machines(cores)
    try:
        for number in range(1, workers + 2):
            machines.start(number)
        yield machines
    finally:
        machines.close()


class Submitted:
    """A job that was sent with `ray job submit`, which follows it.

    Args:
        machines: to which it is sent.
        words: the whole command.
        log: gets what is printed.
    """

    def __init__(self, machines: Machines, words: Sequence[str], log: Path) -> None:
        self._machines, self._log = machines, log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                words,
                cwd=ROOT,
                env=machines.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def running(self) -> bool:
        """Whether it is still followed."""
        return self._process.poll() is None

    def said(self) -> str:
        """All that was printed."""
        return self._log.read_text(errors="replace")

    def finish(self, limit_s: float = 600) -> None:
        """Wait for success, of which Ray must know too. Raises AssertionError with the end of what was printed."""
        try:
            code = self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = "no end"
        assert code == 0, f"{code}: {self.said()[-3000:]}"
        (name,) = set(re.findall(r"Job '(raysubmit_\w+)'", self.said()))
        assert "succeeded" in self._machines.ray("job", "status", name)

    def stop(self) -> None:
        """Follow it no longer; with the machines it ends itself."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def submitted(machines: Machines, words: Sequence[str], log: Path) -> Iterator[Submitted]:
    """A job that is not followed beyond the test."""
    job = Submitted(machines, words, log)
    try:
        yield job
    finally:
        job.stop()


def wait_until(ready: Callable[[], bool], job: Submitted, what: str, limit_s: float = 600) -> None:
    """Return when it is so. Raises AssertionError if the job ends before."""
    deadline = time.monotonic() + limit_s
    while not ready():
        assert job.running(), f"ended before {what}: {job.said()[-3000:]}"
        assert time.monotonic() < deadline, f"no {what}: {job.said()[-3000:]}"
        time.sleep(0.5)  # each look asks the S3 that runs in this process
