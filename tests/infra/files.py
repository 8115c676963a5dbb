"""The files of `infra/`, read, and the tools that check them found."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

INFRA = ROOT / "infra"


def documents(name: str) -> list[dict[str, Any]]:
    """The YAML documents of a file of `infra/`."""
    return list(yaml.safe_load_all((INFRA / name).read_text()))


def locked(package: str) -> str:
    """A package's version in uv.lock."""
    lines = (ROOT / "uv.lock").read_text().splitlines()
    return lines[lines.index(f'name = "{package}"') + 1].split('"')[1]


def tool(name: str, package: str) -> str:
    """The path of a program that a package of the development group brings; without it the test is skipped."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: the development group's {package} brings it (make setup)")
    return found


def values_of(tree: Any, key: str) -> Iterator[Any]:
    """All values that stand under a key, at any depth."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            if name == key:
                yield value
            yield from values_of(value, key)
    elif isinstance(tree, list):
        for value in tree:
            yield from values_of(value, key)
