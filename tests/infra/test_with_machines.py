"""Waiting for machines: the arithmetic, what it refuses, and the whole with a Ray that is played.

Played, because a real autoscaler's machines are raylets here, which a busy machine starts too slowly for Ray itself.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "infra" / "with_machines.py"


@pytest.fixture
def machines() -> ModuleType:
    import importlib.util

    spec = importlib.util.spec_from_file_location("with_machines", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def node(alive: bool = True, **resources: float) -> dict[str, Any]:
    """A machine as Ray tells of it."""
    return {"Alive": alive, "Resources": resources}


def test_a_place_lies_on_one_living_machine(machines: ModuleType) -> None:
    place = {"CPU": 5, "GPU": 1}
    assert machines.room_for(place, []) == 0
    assert machines.room_for(place, [node(CPU=96.0, GPU=8.0), node(CPU=14.0, GPU=8.0)]) == 8 + 2
    assert machines.room_for(place, [node(CPU=4.0, GPU=4.0), node(CPU=64.0)]) == 0
    assert machines.room_for(place, [node(alive=False, CPU=96.0, GPU=8.0)]) == 0


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script, in a process of its own: it becomes its command."""
    inherited = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--count", "1"], "no command is given"),
        (["--count", "0", "--", "true"], "at least 1"),
        (["--", "true"], "--count"),
        (["--count", "1", "--", "true"], "RAY_ADDRESS names no Ray"),
    ],
)
def test_refuses_what_it_cannot_do(words: list[str], said: str) -> None:
    refused = run(*words)
    assert refused.returncode != 0
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr


RAY = """
import json, os, pathlib
said = pathlib.Path(os.environ["SAID"])
looked = 0

def init(address, **options):
    if address == "nowhere:1":
        raise ConnectionError("Failed to connect\\nin many lines")

def nodes():
    global looked
    looked += 1
    come = min(looked - 1, int(os.environ["COMING"]))
    return [{"Alive": True, "Resources": {"CPU": 2.0}} for _ in range(come)]

def shutdown():
    said.write_text(said.read_text() + "shutdown\\n")
"""
SDK = """
import json, os, pathlib

def request_resources(bundles):
    with pathlib.Path(os.environ["SAID"]).open("a") as file:
        file.write(json.dumps(bundles) + "\\n")
"""


@pytest.fixture
def growing(tmp_path: Path) -> Callable[..., tuple[subprocess.CompletedProcess[str], list[str]]]:
    """Runs the script with a Ray of two-core machines, of which one more is there at every look, up to `coming`."""
    (tmp_path / "ray" / "autoscaler").mkdir(parents=True)
    (tmp_path / "ray" / "__init__.py").write_text(RAY)
    (tmp_path / "ray" / "autoscaler" / "__init__.py").touch()
    (tmp_path / "ray" / "autoscaler" / "sdk.py").write_text(SDK)

    def start(coming: int, *words: str, address: str = "head:6379") -> Any:
        said = tmp_path / "said"
        said.write_text("")
        environment = {"RAY_ADDRESS": address, "SAID": str(said), "COMING": str(coming), "PYTHONPATH": str(tmp_path)}
        return run(*words, **environment), said.read_text().splitlines()

    return start


def test_asks_waits_withdraws_and_becomes_the_command(growing: Callable[..., Any]) -> None:
    done, said = growing(
        2, "--count", "2", "--cpus", "2", "--", sys.executable, "-c", "print('runs'); raise SystemExit(7)"
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout == "runs\n"
    assert "room for 2 × 2 CPU" in done.stderr
    assert said == ['[{"CPU": 2}, {"CPU": 2}]', "[]", "shutdown"], "asked for, then not kept alive"


def test_gives_up_in_one_line_and_leaves_no_request_behind(growing: Callable[..., Any]) -> None:
    done, said = growing(1, "--count", "2", "--cpus", "2", "--wait-minutes", "0.001", "--", "true")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "of 2 × 2 CPU after 0.001 minutes" in done.stderr
    assert said[-2:] == ["[]", "shutdown"]


def test_says_what_is_missing(growing: Callable[..., Any]) -> None:
    nowhere, _ = growing(1, "--count", "1", "--", "true", address="nowhere:1")
    assert (nowhere.returncode, nowhere.stderr) == (1, "machines: no Ray at RAY_ADDRESS=nowhere:1: Failed to connect\n")
    command, _ = growing(1, "--count", "1", "--", "no-such-command")
    assert command.returncode == 1
    assert "there is no command 'no-such-command'" in command.stderr
