"""A training to register models from, and an MLflow to register them in."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow.store.artifact import s3_artifact_repo

from liax.tracking.client import connect
from tests.two_steps import train_two_steps


@pytest.fixture(scope="session")
def two_checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two checkpoints of a tiny model, whose weights differ."""
    output = train_two_steps(tmp_path_factory.mktemp("two-checkpoints"), checkpoint={"every_steps": 1}).output
    return f"{output}/checkpoints/00000001", f"{output}/checkpoints/00000002"


@pytest.fixture(autouse=True)
def mlflow_forgets_its_s3_client() -> Iterator[None]:
    """For some minutes MLflow uses one client of S3 again, with the credentials that it found or did not find."""
    yield
    s3_artifact_repo._cached_get_s3_client.cache_clear()


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow takes seconds to make its tables."""
    folder = tmp_path_factory.mktemp("empty")
    connect(f"sqlite:///{folder}/mlflow.db")
    return folder / "mlflow.db"


@pytest.fixture
def address(tmp_path: Path, empty_database: Path) -> str:
    shutil.copy(empty_database, tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"
