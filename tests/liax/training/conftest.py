"""Fixtures for tests of training."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """PyTorch with one thread: small layers spend more time on waiting for a second one where the cores are busy."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.server)])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a run: a folder, or a prefix on an S3 server of its own test's name."""
    if request.param == "folder":
        return str(tmp_path / "run")
    bucket: str = request.getfixturevalue("s3_bucket")
    return f"{bucket}/{tmp_path.name}/run"
