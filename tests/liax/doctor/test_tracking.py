"""MLflow as a doctor sees it."""

from pathlib import Path

import pytest

from liax.doctor.tracking import EXPERIMENT, check_tracking, reach, try_upload
from liax.tracking.client import connect
from tests.mlflow_server import MlflowServer
from tests.ports import free_port


def test_a_closed_port_is_wrong_and_says_what_to_do() -> None:
    uri = f"http://127.0.0.1:{free_port()}"
    (found,) = check_tracking([], uri, limit_s=1.0)
    assert found.state == "wrong"
    assert "Connection refused" in found.seen
    assert "tracking.uri=none" in found.mend
    assert "Connection refused" in reach(uri)


def test_a_database_is_tried_from_here_alone(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    ok, others = check_tracking([], uri, limit_s=1.0)
    assert ok.state == "ok"
    assert others.state == "not checked"
    assert connect(uri).get_experiment_by_name(EXPERIMENT) is not None


@pytest.mark.server
def test_a_server_gets_a_file_and_the_run_is_removed(tmp_path: Path) -> None:
    server = MlflowServer(tmp_path / "mlflow").start()
    try:
        try_upload(server.uri)
        assert reach(server.uri) == ""
        client = connect(server.uri)
        assert client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id]) == []
    finally:
        server.kill()
