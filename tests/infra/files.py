"""The files of `infra/`, read, and the tools that check them found."""

import re
import shlex
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


def blocks(text: str) -> list[str]:
    """The shell blocks of a Markdown text."""
    return re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


def commands_in(block: str) -> Iterator[list[str]]:
    """The simple commands of a shell block, as words, without the variables that stand before them."""
    whole = re.sub(r"\$\([^)]*\)", "SUBSTITUTED", re.sub(r"\\\n", " ", block))
    for line in whole.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("&|;"):
                while words and re.match(r"[A-Z_]+=", words[0]):
                    words.pop(0)
                if words:
                    yield words
                words = []
            else:
                words.append(word)
