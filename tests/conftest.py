"""Fixtures for all tests. Tests make their own data; what lies beside a checkout is used only where it is there."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# Before PyTorch or OpenMP is loaded: several test processes on a few cores must not each take all of them.
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


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


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own Ray or MLflow must not be touched by a test."""
    for variable in ("RAY_ADDRESS", "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI", "LIAX_PROGRESS"):
        monkeypatch.delenv(variable, raising=False)
