"""MLflow's address."""

from pathlib import Path

import pytest

from jobs.preprocess import PreprocessJob
from liax.config import load_config
from liax.errors import UserError
from liax.tracking.address import tracking_uri, without_password
from liax.training.config import TrainConfig

NEEDED = ["shards=s", "output=o"]


def test_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert tracking_uri(None) == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert tracking_uri(None) == "http://localhost:5000"
    assert tracking_uri("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"
    with pytest.raises(UserError, match="not an MLflow address"):
        tracking_uri("/some/folder")


@pytest.mark.parametrize(("whole", "shown"), [
    ("postgresql://u:ab/cd@h/db", "postgresql://u:***@h/db"),
    ("postgresql://u:p@ss@h/db", "postgresql://u:***@h/db"),
    ("postgresql://h/db?user=u&password=secret&x=1", "postgresql://h/db?user=u&password=***&x=1"),
    ("http://h:5000/a@b", "http://h:***@b"),  # none is there: rather hidden too much
    ("http://h:5000", "http://h:5000"),
])  # fmt: skip
def test_no_form_of_a_password_is_shown(whole: str, shown: str) -> None:
    assert without_password(whole) == shown


def test_a_password_is_given_by_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, shown = "http://team:pass@mlflow:5000", "http://team:***@mlflow:5000"
    with pytest.raises(UserError, match=r"password of http://team:\*\*\*@mlflow:5000 is not known here"):
        tracking_uri(shown)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", whole)
    assert tracking_uri(None) == whole
    assert tracking_uri(shown) == whole  # as files keep it
    assert tracking_uri("http://other:5000") == "http://other:5000"
    assert load_config(TrainConfig, None, [*NEEDED, "tracking.uri=http://mlflow:5000"]).tracking.uri
    for cls, overrides in ((TrainConfig, NEEDED), (PreprocessJob, ["input=i", "output=o"])):
        with pytest.raises(UserError, match="give the password elsewhere") as refused:
            load_config(cls, None, [*overrides, f"tracking.uri={whole}"])
        assert "pass@" not in str(refused.value)
