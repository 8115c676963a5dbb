"""The architecture's import table, read from the source itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# What the preprocessing may use of the library: no model, no training, nothing that needs PyTorch.
ALLOWED_TO_PIPELINES = {
    "config", "crop", "errors", "face", "html_page", "identity", "process", "progress", "ray_data", "ray_session",
    "sample", "shards", "storage", "video", "weights",
}  # fmt: skip
# The training core runs on a machine that has only PyTorch.
CORE = ["liax/model", "liax/losses", "liax/data", "liax/training/step.py", "liax/training/loop.py"]
AROUND_CORE = {"ray", "deepspeed", "mlflow"}


def imports_of(file: Path) -> set[str]:
    """Every module that a file imports, at its head or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def files_in(*folders: str) -> list[Path]:
    """Python files in folders (or files by name), relative to the project."""
    found = []
    for name in folders:
        path = ROOT / name
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert found, f"nothing in {folders}"
    return found


def test_the_animator_is_there_without_its_module() -> None:
    import liax
    from liax.inference.animator import Animator

    assert liax.Animator is Animator
    with pytest.raises(AttributeError, match="no attribute 'Animators'"):
        getattr(liax, "Animators")  # noqa: B009 - as a user's slip


def test_the_library_imports_neither_pipelines_nor_jobs() -> None:
    for file in files_in("liax"):
        outside = {name for name in imports_of(file) if name.split(".")[0] in ("pipelines", "jobs")}
        assert not outside, f"{file} imports {outside}"


def test_pipelines_use_only_the_parts_of_the_library_without_a_model() -> None:
    for file in files_in("pipelines"):
        for name in imports_of(file):
            top, _, rest = name.partition(".")
            assert top not in ("jobs", "torch"), f"{file} imports {name}"
            if top == "liax" and rest:
                assert rest.split(".")[0] in ALLOWED_TO_PIPELINES | {"__version__"}, f"{file} imports {name}"


def test_the_training_core_needs_only_pytorch() -> None:
    for file in files_in(*CORE):
        outside = {name for name in imports_of(file) if name.split(".")[0] in AROUND_CORE}
        assert not outside, f"{file} imports {outside}"


@pytest.mark.parametrize("statement", ["import liax", "import jobs.main; jobs.main.main(['--help'])"])
def test_starting_the_command_loads_nothing_heavy(statement: str) -> None:
    heavy = {"torch", "ray", "mediapipe", "cv2", "av", "mlflow", "deepspeed", "numpy", "boto3"}
    code = f"{statement}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not heavy & set(done.stdout.splitlines()[-1].split())
