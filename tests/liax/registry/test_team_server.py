"""The registry on MLflow as teams run it: PostgreSQL for numbers, S3 for files, and what is said when they fail."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from jobs.pull import run as run_pull
from liax import storage
from liax.errors import JobError, StorageError, UserError, run_main
from liax.inference.animator import Animator
from liax.registry import pull as pull_module
from liax.registry.pull import pull
from liax.registry.register import register
from liax.tracking.client import connect
from tests.faulty_s3 import BUCKET, FaultyS3, serve_s3
from tests.mlflow_server import MlflowServer
from tests.ports import free_port
from tests.postgres_server import postgres_server

pytestmark = pytest.mark.server

FILES = ("README.md", "config.json", "model.safetensors")
KINDS = ("passed-on", "direct")
"""Two models. The files of one come by the server's leave, of the other straight from S3, as the client's own
credentials let them."""


@dataclass
class Team:
    """What runs."""

    mlflow: MlflowServer
    s3: FaultyS3

    def pull(self, model: str, folder: Path) -> int:
        """The exit code of `liax pull`."""
        return run_main(run_pull, [model, str(folder), "--tracking-uri", self.mlflow.uri])


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, two_checkpoints: tuple[str, str]) -> Iterator[Team]:
    """A server with two versions of each model, the second `champion`."""
    pytest.importorskip("psycopg2", reason="the development group's psycopg2-binary brings it (make setup)")
    folder = tmp_path_factory.mktemp("team")
    with serve_s3() as s3, postgres_server() as postgres:
        # The tests wait for every attempt that the server makes at S3.
        environment = postgres.environment | {"AWS_MAX_ATTEMPTS": "1"}
        mlflow = MlflowServer(folder, postgres.uri, f"s3://{BUCKET}/mlflow", environment)
        try:
            mlflow.start()
            client = connect(mlflow.uri)
            for url in two_checkpoints:
                register(url, "passed-on", "champion", mlflow.uri)
            client.rename_experiment(client.get_experiment_by_name("liax").experiment_id, "before")
            client.create_experiment("liax", artifact_location=f"s3://{BUCKET}/direct")
            for url in two_checkpoints:
                register(url, "direct", "champion", mlflow.uri)
            yield Team(mlflow, s3)
        finally:
            mlflow.kill()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that give up at once."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    forget_clients()


def forget_clients() -> None:
    """Let MLflow make its clients of S3 anew, from the environment."""
    from mlflow.store.artifact import s3_artifact_repo

    s3_artifact_repo._cached_get_s3_client.cache_clear()


def object_of(kind: str, version: int, name: str, team: Team) -> str:
    """Where S3 keeps a file of a version."""
    kept = connect(team.mlflow.uri).get_model_version_download_uri(kind, str(version))
    return f"{kept.replace('mlflow-artifacts:', f's3://{BUCKET}/mlflow')}/artifacts/model/{name}"


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What a command has said: its error, and nothing else."""
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith("error: ")
    return line


def answer_with(code: str) -> Callable[[dict[str, Any], Any], list[bytes]]:
    """An S3 that refuses everything."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        status = {"InvalidAccessKeyId": "403 Forbidden", "InternalError": "500 Internal Server Error"}[code]
        text = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
        start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))])
        return [text if environ["REQUEST_METHOD"] != "HEAD" else b""]

    return application


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_pulled_is_what_was_registered(
    kind: str, team: Team, two_checkpoints: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert team.pull(f"models:/{kind}@champion", tmp_path / "champion") == 0
    assert f"models:/{kind}@champion is version 2" in capsys.readouterr().out
    assert team.pull(f"models:/{kind}/1", tmp_path / "first") == 0
    for folder, checkpoint in zip(("first", "champion"), two_checkpoints, strict=True):
        assert sorted(path.name for path in (tmp_path / folder).iterdir()) == sorted(FILES)
        for name in ("config.json", "model.safetensors"):
            assert (tmp_path / folder / name).read_bytes() == Path(checkpoint, name).read_bytes()
    scheme = {"passed-on": "mlflow-artifacts:", "direct": "s3:"}[kind]
    assert connect(team.mlflow.uri).get_model_version_download_uri(kind, "2").startswith(scheme)


@pytest.mark.parametrize("kind", KINDS)
def test_an_animator_loads_it(kind: str, team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", team.mlflow.uri)
    assert Animator.from_pretrained(f"models:/{kind}@champion").size_px == 64


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_changed_in_s3_is_refused(kind: str, name: str, team: Team, tmp_path: Path) -> None:
    url = object_of(kind, 1, name, team)
    before = storage.read_bytes(url)
    pull(f"models:/{kind}/2", tmp_path / "model", team.mlflow.uri)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    try:
        storage.write_bytes(url, before[:-1] + bytes([before[-1] ^ 1]))
        for folder in ("new", "model"):
            with pytest.raises(JobError, match=f"{name} of models:/{kind}/1 is not the file that was registered"):
                pull(f"models:/{kind}/1", tmp_path / folder, team.mlflow.uri)
        storage.remove(url)
        with pytest.raises(StorageError, match=f"cannot fetch {name} of models:/{kind}/1 .*Not Found"):
            pull(f"models:/{kind}/1", tmp_path / "new", team.mlflow.uri)
    finally:
        storage.write_bytes(url, before)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == kept


@pytest.mark.parametrize("kind", KINDS)
def test_an_alias_that_moves_meanwhile_changes_nothing(
    kind: str, team: Team, two_checkpoints: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, fetch = connect(team.mlflow.uri), pull_module._fetch
    client.set_registered_model_alias(kind, "moving", "1")

    def after_a_move(*arguments: Any) -> Path:
        client.set_registered_model_alias(kind, "moving", "2")
        return fetch(*arguments)

    monkeypatch.setattr(pull_module, "_fetch", after_a_move)
    pull(f"models:/{kind}@moving", tmp_path / "model", team.mlflow.uri)
    assert int(client.get_model_version_by_alias(kind, "moving").version) == 2
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "model" / name).read_bytes() == Path(two_checkpoints[0], name).read_bytes()


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("models:/direct/9", "models there: direct, passed-on"),
        ("models:/direct@nobody", "models there: direct, passed-on"),
        ("models:/none/1", "models there: direct, passed-on"),
        ("models:/direct/../passed-on/1", "names no registered model"),
        ("models:/direct@latest", "cannot be an alias"),
    ],
)
def test_what_is_not_there_is_said(
    model: str, said: str, team: Team, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert team.pull(model, tmp_path / "model") == UserError.exit_code
    assert said in one_line(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "InternalError"])
def test_an_s3_that_refuses_or_fails_is_one_line(
    kind: str,
    code: str,
    team: Team,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(team.s3, "_app", answer_with(code))
    assert team.pull(f"models:/{kind}@champion", tmp_path / "model") == StorageError.exit_code
    line = one_line(capsys)
    assert f"cannot fetch model.safetensors of models:/{kind}/2" in line
    assert "credentials" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("patience")
def test_an_s3_that_is_gone_is_one_line(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    assert team.pull("models:/direct@champion", tmp_path / "model") == StorageError.exit_code
    assert "Could not connect to the endpoint" in one_line(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("patience")
def test_no_credentials_are_one_line(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # remembers the credentials that it has found
    assert team.pull("models:/direct@champion", tmp_path / "model") == StorageError.exit_code
    assert "Unable to locate credentials" in one_line(capsys)
    assert team.pull("models:/passed-on@champion", tmp_path / "model") == 0  # which only the server needs


@pytest.mark.usefixtures("patience")
def test_an_mlflow_that_goes_in_the_middle_is_one_line(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch = pull_module._fetch

    def after_the_first(client: Any, version: Any, name: str, scratch: str, where: str) -> Path:
        if any(Path(scratch).iterdir()):
            team.mlflow.kill()
        return fetch(client, version, name, scratch, where)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(pull_module, "_fetch", after_the_first)
            assert team.pull("models:/passed-on@champion", tmp_path / "model") == StorageError.exit_code
        assert "cannot fetch config.json of models:/passed-on/2" in one_line(capsys)
        assert team.pull("models:/passed-on@champion", tmp_path / "model") == UserError.exit_code
        assert "Connection refused; start it or change the address" in one_line(capsys)
    finally:
        team.mlflow.start()
    assert list(tmp_path.iterdir()) == []
    assert team.pull("models:/passed-on@champion", tmp_path / "model") == 0
