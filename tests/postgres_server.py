"""A real PostgreSQL on loopback, from the distribution's package, with a password; for the servers that teams run."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port

USER = "mlflow"
START_S = 60.0
"""A second where nothing else runs."""


class PostgresServer:
    """A running server.

    Attributes:
        uri: of the database for SQLAlchemy; without the password, see `environment`.
        environment: what a client must be given: libpq takes the password from there, so that it is in no command line.
    """

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._port, password = free_port(), secrets.token_hex(16)
        self.uri = f"postgresql+psycopg2://{USER}@127.0.0.1:{self._port}/postgres"
        self.environment = {"PGPASSWORD": password}
        (folder / "password").write_text(password)
        (folder / "password").chmod(0o600)
        self._own: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to be root; its package brings a user for it
            account = pwd.getpwnam("postgres")
            self._own = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            for path in (folder, folder / "password"):
                os.chown(path, account.pw_uid, account.pw_gid)

    @contextmanager
    def running(self) -> Iterator["PostgresServer"]:
        """Make the database, serve it, and end the server."""
        words = ["initdb", "--username", USER, "--auth=scram-sha-256", f"--pwfile={self._folder}/password"]
        self._run([*words, "--no-sync", "--locale=C.UTF-8", f"--pgdata={self._folder}/data"])
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", "-p", str(self._port), *words],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._own,
            )
        try:
            self._wait(server)
            yield self
        finally:
            server.send_signal(signal.SIGQUIT)  # at once, its processes too; nothing of it is wanted any more
            server.wait()

    def _run(self, words: list[str]) -> None:
        command = [str(self._programs / words[0]), *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=self._folder, **self._own)
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])

    def _wait(self, server: subprocess.Popen[bytes]) -> None:
        asked = [str(self._programs / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self._port}"]
        for _ in range(int(START_S / 0.1)):
            if server.poll() is not None:
                break
            if subprocess.run(asked, timeout=60).returncode == 0:
                return
            time.sleep(0.1)
        raise TimeoutError((self._folder / "log").read_text()[-2000:])


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start one; skips the test where the package is not installed."""
    programs = _programs()
    # Not in pytest's folder, which PostgreSQL's own user may not enter.
    with (
        tempfile.TemporaryDirectory(prefix="liax-postgres-") as folder,
        PostgresServer(programs, Path(folder)).running() as server,
    ):
        yield server


def _programs() -> Path:
    """Where the server's programs are: Debian keeps them out of PATH, in a folder a version."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not debian:
        pytest.skip("NOT TESTED: PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return debian[-1].parent
