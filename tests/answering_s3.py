"""An S3 server on loopback that gives the answers it is told to, whatever it is asked."""

import http.server
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest

from liax import storage


@contextmanager
def answering(statuses: Mapping[str, Sequence[int]]) -> Iterator[list[str]]:
    """Start it, and set the environment so that this process uses it.

    Args:
        statuses: by method, the statuses of the answers, in turn; the last one again and again.

    Yields:
        What it was asked: `METHOD /path`.
    """
    asked: list[str] = []
    waiting = {method: list(some) for method, some in statuses.items()}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # else the client waits a second for leave to send its data

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append(f"{self.command} {self.path}")
            left = waiting[self.command]
            self.send_response(left.pop(0) if len(left) > 1 else left[0])
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_HEAD = do_PUT = answer

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.delenv("AWS_PROFILE", raising=False)
        storage._s3.cache_clear()
        try:
            yield asked
        finally:
            storage._s3.cache_clear()
            server.shutdown()
            server.server_close()
