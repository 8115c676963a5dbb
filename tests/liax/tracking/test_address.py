"""MLflow's address."""

from pathlib import Path

import pytest

from liax.errors import UserError
from liax.tracking.address import tracking_uri


def test_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert tracking_uri(None) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert tracking_uri(None) == "http://localhost:5000"
    assert tracking_uri("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"
    with pytest.raises(UserError, match="not an MLflow address"):
        tracking_uri("/some/folder")
