"""The audit says so where no advisories are within reach, instead of calling everything sound."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.conftest import ROOT
from tests.ports import free_port


@contextmanager
def index(status: int, content: bytes) -> Iterator[str]:
    """A package index that gives one answer."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content)

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def audit(address: str) -> subprocess.CompletedProcess[str]:
    """What `make audit` runs."""
    environment = os.environ | {"AUDIT_INDEX": address}
    words = [str(ROOT / "infra/audit.sh")]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not (ROOT / ".venv/bin/python").is_file(), reason="needs .venv, which make setup makes")
@pytest.mark.parametrize(("status", "content"), [(404, b""), (200, b'{"vulnerabilities": []}'), (200, b"a mirror")])
def test_an_index_without_advisories_audits_nothing(status: int, content: bytes) -> None:
    with index(status, content) as address:
        done = audit(address)
    assert done.returncode == 0
    assert f"NOT AUDITED: the advisories of {address} are not within reach" in done.stderr


@pytest.mark.skipif(not (ROOT / ".venv/bin/python").is_file(), reason="needs .venv, which make setup makes")
def test_no_index_audits_nothing() -> None:
    done = audit(f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 0
    assert "NOT AUDITED" in done.stderr
