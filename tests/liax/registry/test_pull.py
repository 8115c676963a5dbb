"""Pulling a model: killed at any moment, from a server that lies, and into folders that hold something."""

import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from jobs.pull import run as run_pull
from liax.errors import JobError, LiaxError, StorageError, UserError, run_main
from liax.inference.animator import Animator
from liax.model.weights import load_model
from liax.registry.names import HASH_TAG, MODEL_FILES
from liax.registry.pull import _check_folder, pull, put_in_place
from liax.registry.register import register
from liax.tracking.address import without_password
from liax.tracking.client import connect
from tests.conftest import ROOT
from tests.ports import free_port

KILLED_EVERYWHERE = """
import os, signal, sys
from pathlib import Path
from liax.registry.pull import put_in_place

given, folders = Path(sys.argv[1]), [Path(folder) for folder in sys.argv[2:]]
for number, folder in enumerate(folders):
    if (child := os.fork()) == 0:
        left = [number]

        def hook(event, arguments):
            if event.startswith(("open", "os.", "shutil.")) and str(folder) in str(arguments):
                left[0] -= 1
                if left[0] < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        put_in_place(sorted(given.iterdir()), folder)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
"""Puts the files of the first folder into each of the others, and is killed at the first, second, … thing that it asks
of the file system."""


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory, two_checkpoints: tuple[str, str]) -> str:
    """An MLflow with two versions of `face`, the second `champion`."""
    address = f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    assert [register(url, "face", "champion", address) for url in two_checkpoints] == ["1", "2"]
    return address


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder that are not hidden."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


@pytest.mark.parametrize("begun", ["empty", "with an old model"])
def test_killed_at_any_moment_a_pull_leaves_no_mixture(begun: str, tmp_path: Path) -> None:
    old = {name: f"old {name}".encode() for name in MODEL_FILES} if begun != "empty" else {}
    new = {name: f"new {name}".encode() for name in MODEL_FILES if name != "controls.json"}
    (tmp_path / "given").mkdir()
    for name, data in new.items():
        (tmp_path / "given" / name).write_bytes(data)
    folders = [tmp_path / f"model{number}" for number in range(60)]
    for folder in folders:
        folder.mkdir()
        for name, data in old.items():
            (folder / name).write_bytes(data)
    words = [sys.executable, "-c", KILLED_EVERYWHERE, str(tmp_path / "given"), *map(str, folders)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, cwd=ROOT, check=True)
    codes = [int(line) for line in done.stdout.split()]
    assert codes[0] == codes[20] == -signal.SIGKILL
    assert codes[-1] == 0
    kinds = set()
    for folder, code in zip(folders, codes, strict=True):
        found = contents(folder)
        whole = found in (new, old)
        assert whole or "config.json" not in found, f"{folder.name} is a mixture"  # without one it is no model
        assert whole or code != 0
        kinds.add("old" if found == old else "new" if whole else "none")
        _check_folder(str(folder))
        put_in_place(sorted((tmp_path / "given").iterdir()), folder)
        assert contents(folder) == new
        assert sorted(path.name for path in folder.iterdir()) == sorted(new)  # nothing hidden is left either
    assert kinds == {"old", "new", "none"}


def test_a_half_replaced_model_does_not_load(uri: str, tmp_path: Path) -> None:
    folder = pull("models:/face/1", tmp_path / "model", uri)
    (folder / "config.json").unlink()
    (folder / ".liax-pull").touch()
    with pytest.raises(UserError, match=r"config\.json"):
        load_model(folder)
    with pytest.raises(UserError, match="no model in"):
        Animator.from_pretrained(folder)
    pull("models:/face/2", folder, uri)
    load_model(folder)


def test_two_pulls_at_once_leave_one_model(tmp_path: Path) -> None:
    for kind in "ab":
        (tmp_path / kind).mkdir()
        for name in MODEL_FILES:
            (tmp_path / kind / name).write_text(kind)

    def often(kind: str) -> None:
        for _ in range(30):
            put_in_place(sorted((tmp_path / kind).iterdir()), tmp_path / "model")

    threads = [threading.Thread(target=often, args=(kind,)) for kind in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(contents(tmp_path / "model").values())) == 1
    assert sorted(contents(tmp_path / "model")) == sorted(MODEL_FILES)


def test_the_command_says_which_version_it_pulled(
    uri: str, two_checkpoints: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["models:/face@champion", str(tmp_path / "model"), "--tracking-uri", uri]
    assert run_main(run_pull, words) == 0
    assert f"models:/face@champion is version 2, in {tmp_path}/model" in capsys.readouterr().out
    weights = (tmp_path / "model" / "model.safetensors").read_bytes()
    assert weights == Path(two_checkpoints[1], "model.safetensors").read_bytes()


def test_an_alias_that_moves_meanwhile_changes_nothing(
    uri: str, two_checkpoints: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from liax.registry import pull as module

    client, fetch = connect(uri), module._fetch
    client.set_registered_model_alias("face", "moving", "1")

    def after_a_move(*arguments: Any) -> Path:
        client.set_registered_model_alias("face", "moving", "2")
        return fetch(*arguments)

    monkeypatch.setattr(module, "_fetch", after_a_move)
    pulled = contents(pull("models:/face@moving", tmp_path / "model", uri))
    assert client.get_model_version_by_alias("face", "moving").version == 2
    for name in ("model.safetensors", "config.json"):
        assert pulled[name] == Path(two_checkpoints[0], name).read_bytes()


def test_an_animator_finds_mlflow_by_the_environment(
    uri: str, two_checkpoints: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="there is no MLflow database"):
        Animator.from_pretrained("models:/face@champion")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    # Neither this, which is not liax's way to name the address, nor what is in the working folder is in the way.
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", f"http://127.0.0.1:{free_port()}")
    renderer = Animator.from_pretrained("models:/face@champion").renderer
    assert renderer.size_px == load_model(two_checkpoints[1]).config.size_px
    assert list(tmp_path.iterdir()) == []
    assert os.environ["MLFLOW_TRACKING_URI"] == uri


def test_an_animator_refuses_a_changed_file(two_checkpoints: tuple[str, str], tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/mlflow.db"
    register(two_checkpoints[0], "face", None, address)
    (config,) = tmp_path.rglob("config.json")
    config.write_text(config.read_text() + " ")
    with pytest.raises(JobError, match=r"config\.json of models:/face/1 is not the file that was registered"):
        Animator.from_pretrained("models:/face/1", tracking_uri=address)
    config.unlink()
    with pytest.raises(StorageError, match=r"cannot fetch config\.json of models:/face/1"):
        Animator.from_pretrained("models:/face/1", tracking_uri=address)
    config.symlink_to("/etc/hostname")
    with pytest.raises(LiaxError):
        Animator.from_pretrained("models:/face/1", tracking_uri=address)


def test_a_pull_touches_no_folder_that_holds_more_than_a_model(
    uri: str, two_checkpoints: tuple[str, str], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(two_checkpoints[0], checkpoint)
    before = contents(checkpoint)
    with pytest.raises(UserError, match="which a pulled model does not"):
        pull("models:/face/2", checkpoint, uri)
    assert contents(checkpoint) == before
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="Not a directory; give another folder"):
        pull("models:/face/2", tmp_path / "file", uri)
    with pytest.raises(UserError, match="cannot be a folder"):
        pull("models:/face/2", tmp_path / "file" / "below", uri)


@contextmanager
def lying_server(listed: list[str], tags: dict[str, str], status: int = 200) -> Iterator[tuple[str, list[str]]]:
    """An MLflow that has version 1 of `face`.

    Args:
        listed: the names that it says are in any folder; each holds `evil`.
        tags: the version's.
        status: of its answers.

    Yields:
        Its address, and the artifacts that it was asked for.
    """
    asked: list[str] = []
    version = {"name": "face", "version": "1", "tags": [{"key": key, "value": tags[key]} for key in tags]}
    answers = {
        "experiments/search": {"experiments": []},
        "model-versions/get": {"model_version": version},
        "model-versions/get-download-uri": {"artifact_uri": "mlflow-artifacts:/there"},
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            url = urlsplit(self.path)
            call = url.path.partition("/mlflow/")[2]
            if "/mlflow-artifacts/artifacts" in url.path and not url.query:
                asked.append(unquote(url.path.partition("/mlflow-artifacts/artifacts/")[2]))
                data = b"evil"
            elif "/mlflow-artifacts/artifacts" in url.path:
                asked.append(parse_qs(url.query)["path"][0])
                data = json.dumps({"files": [{"path": p, "is_dir": False, "file_size": 4} for p in listed]}).encode()
            else:
                data = json.dumps(answers.get(call, {})).encode() if status == 200 else b"Who are you?"
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = answer

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "evil",
    ["../evil", "../../../evil", "/evil", "{outside}/evil", "%2e%2e/%2e%2e/evil", "..", "x/../../../evil", "evil"],
)
def test_no_artifact_leaves_its_folder(evil: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    tags = {f"{HASH_TAG}{name}": "0" * 64 for name in ("model.safetensors", "config.json", evil)}
    with lying_server([evil.format(outside=tmp_path)], tags) as (address, asked), pytest.raises(LiaxError) as told:
        pull("models:/face/1", tmp_path / "model", address)
    assert "\n" not in str(told.value)
    assert asked
    assert {name for name in asked if "evil" not in name} <= {f"there/artifacts/model/{name}" for name in MODEL_FILES}
    assert [path.name for path in tmp_path.rglob("*")] == ["scratch"]
    assert not Path("/evil").exists()


def test_what_a_server_has_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    tags = {f"{HASH_TAG}{name}": "0" * 64 for name in ("model.safetensors", "config.json")}
    with lying_server([], tags) as (address, asked), pytest.raises(JobError, match="not the file that was registered"):
        pull("models:/face/1", tmp_path / "model", address)
    assert set(asked) == {f"there/artifacts/model/{name}" for name in ("model.safetensors", "config.json")}
    with lying_server([], {}) as (address, asked), pytest.raises(JobError, match="not registered by `liax register`"):
        pull("models:/face/1", tmp_path / "model", address)
    assert asked == []
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_refuses_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lying_server([], {}, status=401) as (address, _):
        address = address.replace("//", "//somebody:planted-secret@")
        assert run_main(run_pull, ["models:/face/1", str(tmp_path / "model"), "--tracking-uri", address]) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert "401" in said.err
    assert "planted-secret" not in said.err + said.out
    assert list(tmp_path.iterdir()) == []


def test_addresses_are_shown_without_passwords() -> None:
    assert without_password("postgresql://mlflow:secret@db:5432/mlflow") == "postgresql://mlflow:***@db:5432/mlflow"
    for plain in ("http://127.0.0.1:5000", "sqlite:////a/b@c.db", "postgresql+psycopg2://mlflow@db/x"):
        assert without_password(plain) == plain
