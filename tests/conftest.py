"""Fixtures for all tests. Tests make their own data; what lies beside a checkout is used only where it is there."""

import os
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# Before PyTorch or OpenMP is loaded: several test processes on a few cores must not each take all of them.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

# A shell ignores Ctrl-C in what it starts with `&`, and every process below inherits that: the tests that send one
# would wait for nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes is the machine's affair, and no test's.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def _beside(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/{name}, which lies beside the developers' checkout only")
    return folder


@pytest.fixture(scope="session")
def corpus() -> Path:
    """A folder of real videos and portraits, with `videos.csv`."""
    return _beside("corpus")


@pytest.fixture(scope="session")
def conformance() -> Path:
    """A folder of numbers that the published network gives."""
    return _beside("conformance")


@pytest.fixture(scope="module")
def s3_bucket() -> Iterator[str]:
    """A bucket on an S3 server on loopback."""
    from moto.server import ThreadedMotoServer

    from liax import storage

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # What another module's server of this process holds is this one's too.
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST"), timeout=10)
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        storage._s3.cache_clear()
        storage._s3().create_bucket(Bucket="bucket")
        yield "s3://bucket"
    storage._s3.cache_clear()
    server.stop()


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own Ray, MLflow or model must not be touched by a test."""
    for variable in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "LIAX_PROGRESS", "LIAX_MODEL"):
        monkeypatch.delenv(variable, raising=False)
