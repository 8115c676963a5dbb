"""The MLflow server that teams run: its compose file by the published schema, and its commands by running them."""

import copy
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.infra.files import INFRA, documents, locked
from tests.mlflow_server import START_S
from tests.ports import free_port

COMPOSE = INFRA / "mlflow" / "compose.yaml"
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def check(file: Path) -> subprocess.CompletedProcess[str]:
    """Hold a compose file against the Compose specification's schema."""
    pytest.importorskip("check_jsonschema", reason="the development group's check-jsonschema brings it (make setup)")
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


def filled_in(value: str, given: dict[str, str]) -> str:
    """A value with its variables as compose fills them in, an empty one counting as not given."""

    def one(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        if kind == "?" and not given.get(name):
            raise ValueError(name)
        return given.get(name) or (default if kind == "-" else "")

    return VARIABLE.sub(one, value)


def test_the_compose_specification_takes_it() -> None:
    said = check(COMPOSE)
    assert said.returncode == 0, said.stdout + said.stderr


def test_the_compose_specification_refuses_a_slip(tmp_path: Path) -> None:
    changed = copy.deepcopy(documents("mlflow/compose.yaml")[0])
    changed["services"]["mlflow"]["comand"] = []
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(changed))
    said = check(tmp_path / "compose.yaml")
    assert said.returncode != 0
    assert "comand" in said.stdout


def test_passwords_are_given_from_outside_and_only_loopback_is_open() -> None:
    (compose,) = documents("mlflow/compose.yaml")
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY", name):
                assert VARIABLE.fullmatch(value), name
                assert VARIABLE.fullmatch(value)[3] in ("", "set it in the env file")  # type: ignore[index]
        for port in service.get("ports", []):
            assert filled_in(port, {}).startswith("127.0.0.1:")
    assert "ports" not in compose["services"]["postgres"]
    # What the file wants, and what may be set, stands in the example, where no secret is filled in.
    example = (INFRA / "mlflow" / "example.env").read_text()
    wanted = {match[1] for match in VARIABLE.finditer(COMPOSE.read_text())}
    assert wanted == set(re.findall(r"^#?([A-Z_\d]+)=", example, flags=re.MULTILINE))
    assert not re.search(r"^#?\w*(PASSWORD|SECRET|KEY)\w*=.+", example, flags=re.MULTILINE)
    with pytest.raises(ValueError, match="POSTGRES_PASSWORD"):
        filled_in(compose["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"], {})


def test_the_server_is_of_the_locks_version() -> None:
    (compose,) = documents("mlflow/compose.yaml")
    images = {compose["services"]["mlflow"]["image"], _container()["image"]}
    assert {image.rpartition(":")[2] for image in images} == {locked("mlflow")}
    assert compose["services"]["mlflow"]["build"]["target"] == "mlflow"


def _container() -> dict[str, Any]:
    (found,) = [
        document["spec"]["template"]["spec"]["containers"][0]
        for document in documents("kubernetes/mlflow.yaml")
        if document["kind"] == "Deployment"
    ]
    return dict(found)


def command_of(where: str) -> list[str]:
    """The words that start the server, with variables as in a filled-in env file."""
    if where == "kubernetes":
        return list(_container()["args"])
    (compose,) = documents("mlflow/compose.yaml")
    given = {"MLFLOW_ARTIFACTS": "s3://bucket/mlflow", "MLFLOW_NAME": "mlflow.example.com"}
    return [filled_in(word, given) for word in compose["services"]["mlflow"]["command"]]


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[str]:
    """The server by its own command, but for the port, an SQLite database and, for this test, loopback."""
    replaced = {"--port=5000": f"--port={port}", "--host=0.0.0.0": "--host=127.0.0.1"}
    assert set(replaced) <= set(command)
    words = [sys.executable, "-m", *(replaced.get(word, word) for word in command), "--workers=1"]
    environment = os.environ | {"MLFLOW_BACKEND_STORE_URI": f"sqlite:///{folder}/mlflow.db"}
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(words, stdout=log, stderr=log, env=environment, cwd=folder, start_new_session=True)
    try:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and server.poll() is None:
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            time.sleep(0.1)
        else:
            raise AssertionError((folder / "log").read_text()[-2000:])
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def status(address: str, path: str, host: str) -> int:
    """What a request gets that calls the server by some name."""
    request = urllib.request.Request(address + path, headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.server
@pytest.mark.parametrize(("where", "name"), [("compose", "mlflow.example.com:5000"), ("kubernetes", "mlflow:5000")])
def test_the_command_starts_a_server_that_listens_to_its_names_only(where: str, name: str, tmp_path: Path) -> None:
    experiments = "/api/2.0/mlflow/experiments/get-by-name?experiment_name=Default"
    with running(command_of(where), tmp_path, free_port()) as address:
        assert status(address, experiments, name) == 200
        # A port-forward, or somebody on the machine itself.
        assert status(address, experiments, "localhost:5000") == 200
        assert status(address, experiments, "elsewhere.example.org") == 403
        # Kubernetes asks for health by the pod's address.
        assert status(address, "/health", "10.1.2.3:5000") == 200
