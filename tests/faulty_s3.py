"""A real S3 server on loopback that can be told to fail now and then, and that remembers what was written to it."""

import io
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

BUCKET = "bucket"
FAULTS = ("500", "503", "slow", "lost", "cut")
"""Two refusals, a late answer, a refusal of what was done all the same, and an answer that breaks off."""

SLOW_S = 1.5


class FaultyS3:
    """A WSGI application in front of moto's.

    Attributes:
        share: the part of the requests that go wrong; can be changed while it serves.
        faults: how often each kind of fault was served.
        writes: every PUT and DELETE that was done: (method, path, body), in the order in which they took effect.
    """

    def __init__(self, app: Any, seed: int) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._random = np.random.default_rng(seed)
        self.share = 0.0
        self.faults: Counter[str] = Counter()
        self.writes: list[tuple[str, str, bytes]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """Serve one request, or refuse it."""
        # The whole request is read even where it is refused: else the connection breaks, which is another fault.
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        fault = self._draw()
        if fault in ("500", "503"):
            return _refuse(start_response, fault)
        if fault == "slow":
            time.sleep(SLOW_S)
        status, headers, answer = self._serve(environ, body)
        if fault == "lost":
            return _refuse(start_response, "500")
        start_response(status, headers)
        # The header has announced all of it.
        return [answer[: len(answer) // 2] if fault == "cut" else answer]

    def _draw(self) -> str:
        with self._lock:
            if self._random.random() >= self.share:
                return ""
            # In turn, so that a short run meets every kind.
            fault = FAULTS[sum(self.faults.values()) % len(FAULTS)]
            self.faults[fault] += 1
            return fault

    def _serve(self, environ: dict[str, Any], body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        answered: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: object) -> None:
            answered[:] = [status, headers]

        environ["wsgi.input"] = io.BytesIO(body)
        with self._lock:  # moto's own check and write of `If-None-Match` are two steps
            answer = b"".join(self._app(environ, start))
            status, headers = answered
            if environ["REQUEST_METHOD"] in ("PUT", "DELETE") and status.startswith("2"):
                self.writes.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], body))
        return status, headers, answer


def _refuse(start_response: Any, code: str) -> list[bytes]:
    name = {"500": "InternalError", "503": "SlowDown"}[code]
    text = f"<Error><Code>{name}</Code><Message>injected</Message></Error>".encode()
    start_response(f"{code} {name}", [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))])
    return [text]


@contextmanager
def serve_s3(seed: int = 0) -> Iterator[FaultyS3]:
    """Start the server with one empty bucket, and set the environment so that this process and its children use it."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    from liax import storage

    class Quiet(MotoRequestHandler):
        def log_request(self, *_: object) -> None:
            pass

    application = FaultyS3(DomainDispatcherApplication(create_backend_app), seed)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", *(name for name in os.environ if name.endswith("_PROXY"))):
            patch.delenv(name, raising=False)
        storage._s3.cache_clear()
        storage._s3().create_bucket(Bucket=BUCKET)
        application.writes.clear()
        yield application
    storage._s3.cache_clear()
    server.shutdown()
    serving.join()
