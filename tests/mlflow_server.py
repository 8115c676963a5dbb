"""A real MLflow server on loopback, to be killed and started again; and servers that are none."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.ports import free_port

START_S = 180.0
"""On a busy machine MLflow takes its time to load."""


class MlflowServer:
    """`mlflow server`, which passes artifacts on between its clients and where they are kept.

    Args:
        folder: for its log, and for what is not kept elsewhere.
        database: where numbers are kept; default: an SQLite file in the folder.
        artifacts: where files are kept, a folder or `s3://` prefix; default: below the folder.
        environment: variables beside this process's own.
    """

    def __init__(
        self,
        folder: Path,
        database: str | None = None,
        artifacts: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._folder, self._process = folder, None
        self._database = database or f"sqlite:///{folder}/mlflow.db"
        self._artifacts = artifacts or str(folder / "artifacts")
        self._environment = os.environ | dict(environment or {})
        self._port = free_port()
        self.uri = f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Start it, and wait until it answers."""
        self._folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port)]
        command += ["--backend-store-uri", self._database, "--workers", "1"]
        command += ["--artifacts-destination", self._artifacts]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self._environment, start_new_session=True
            )
        for _ in range(int(START_S / 0.1)):
            if self._process.poll() is not None:
                break
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"{self.uri}/health", timeout=5)
                return self
            time.sleep(0.1)
        raise TimeoutError((self._folder / "server.log").read_text()[-2000:])

    def kill(self) -> None:
        """kill -9, with all its processes."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


class SilentServer:
    """Takes connections and never answers."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.uri = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.called = threading.Event()
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                self._taken.append(self._listening.accept()[0])
                self.called.set()

    def close(self) -> None:
        """Hang up."""
        for taken in [self._listening, *self._taken]:
            taken.close()


@contextmanager
def silent_server() -> Iterator[SilentServer]:
    """A server that takes connections and never answers."""
    server = SilentServer()
    try:
        yield server
    finally:
        server.close()
