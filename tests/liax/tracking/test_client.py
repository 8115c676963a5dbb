"""The small parts of talking to MLflow."""

import re
import subprocess
from pathlib import Path

import pytest

from liax.errors import UserError
from liax.tracking import client
from liax.tracking.client import connect, flatten, git_commit, in_groups


def test_flatten() -> None:
    assert flatten({"a": 1, "b": {"c": {"d": None}, "e": [2]}}) == {"a": 1, "b.c.d": None, "b.e": [2]}


def test_groups_are_as_large_as_they_may_be() -> None:
    assert list(in_groups({"a": 1, "b": 2, "c": 3}, 2)) == [[("a", 1), ("b", 2)], [("c", 3)]]


def test_the_commit_and_whether_files_differ_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "__file__", str(tmp_path / "client.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() == {}
    (tmp_path / "client.py").write_text("1")
    person = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init"], ["add", "client.py"], [*person, "commit", "-m", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True, capture_output=True)
    noted = git_commit()
    assert re.fullmatch("[0-9a-f]{40}", noted["git_commit"])
    assert noted["dirty"] == "false"
    (tmp_path / "client.py").write_text("2")
    assert git_commit() == noted | {"dirty": "true"}


def test_a_server_that_is_not_there_is_named_with_the_reason() -> None:
    with pytest.raises(UserError, match=r"^no MLflow at http://127\.0\.0\.1:9: Connection refused; start it or change"):
        connect("http://127.0.0.1:9")
