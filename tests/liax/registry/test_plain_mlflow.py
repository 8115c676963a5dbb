"""The registered model where nothing of this project is installed: only what its own requirements say.

Makes a virtual environment with pip, as whoever uses the model would: minutes, most of it PyTorch.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liax.registry.register import register
from liax.video.decode import frames
from tests.mlflow_server import START_S
from tests.ports import free_port
from tests.studio import make_studio

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.timeout(1800)]

MODEL = "models:/face@champion"
OPTIONS: tuple[dict[str, Any] | None, ...] = (None, {"mode": "absolute"})
"""Of the rows that are asked for: without any, and with one of them."""

SAME_LEVELS = 0.5
"""Mean difference of the same video made twice, in levels of 0 to 255. In another thread PyTorch may add up in another
order, which is rounding, and then the encoder chooses other bits; one process makes the same bytes again."""

PREDICT = """
import json, pathlib, pickle, sys
unpickled = []

def hook(event, arguments):
    if event == "pickle.find_class":
        unpickled.append(arguments)

sys.addaudithook(hook)
pickle.loads(pickle.dumps(pathlib.PurePath))
assert unpickled.pop(), "the hook sees nothing"
import mlflow

model = mlflow.pyfunc.load_model(sys.argv[1])
source, driving, *outs = map(pathlib.Path, sys.argv[3:])
rows = [{"source": source.read_bytes(), "driving": driving.read_bytes()} for _ in outs]
for row, options in zip(rows, json.loads(sys.argv[2])):
    if options is not None:
        row["options"] = options
for out, video in zip(outs, model.predict(rows)):
    out.write_bytes(video)
import liax

print(json.dumps({"unpickled": list(map(str, unpickled)), "modules": sorted(sys.modules), "liax": liax.__file__}))
"""


@dataclass
class Plain:
    """A place to use the model in."""

    folder: Path
    python: Path
    environment: dict[str, str]

    def run(self, words: list[str], limit_s: float = 600) -> str:
        """What a command prints."""
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=limit_s, cwd=self.folder, env=self.environment
        )
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studio")
    make_studio(folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, two_checkpoints: tuple[str, str]) -> Plain:
    """A fresh virtual environment with the logged model's requirements, and a registry with the model."""
    folder = tmp_path_factory.mktemp("plain")
    registry = tmp_path_factory.mktemp("mlflow")
    register(two_checkpoints[1], "face", "champion", f"sqlite:///{registry}/mlflow.db")
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "MLFLOW"))
    }
    own |= {
        "MLFLOW_TRACKING_URI": f"sqlite:///{registry}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "PATH": f"{folder}/venv/bin:{os.environ['PATH']}",  # as `source venv/bin/activate` does
    }
    place = Plain(folder, folder / "venv" / "bin" / "python", own)
    (requirements,) = registry.rglob("requirements.txt")
    place.run([sys.executable, "-m", "venv", "venv"])
    # Compiling all that is installed would take longer than compiling what is imported.
    install = ["-m", "pip", "install", "--quiet", "--no-compile", "--requirement", str(requirements)]
    place.run([str(place.python), *install], limit_s=1500)
    return place


@pytest.fixture(scope="module")
def predicted(plain: Plain, studio: Path) -> tuple[list[bytes], dict[str, Any]]:
    """The videos that `mlflow.pyfunc` gives, and what was loaded for that."""
    outs = [plain.folder / f"out{number}.mp4" for number in range(len(OPTIONS))]
    given = [json.dumps(OPTIONS), str(studio / "me.png"), str(studio / "talk.mp4")]
    said = plain.run([str(plain.python), "-c", PREDICT, MODEL, *given, *map(str, outs)])
    return [out.read_bytes() for out in outs], json.loads(said.splitlines()[-1])


def pictures(video: bytes, folder: Path) -> np.ndarray:
    """All pictures of a video, in levels of 0 to 255."""
    (folder / "video.mp4").write_bytes(video)
    return np.stack([picture for _, picture in frames(folder / "video.mp4")]).astype(float)


def test_it_predicts(predicted: tuple[list[bytes], dict[str, Any]], studio: Path, tmp_path: Path) -> None:
    expected = sum(1 for _ in frames(studio / "talk.mp4"))
    plain, absolute = (pictures(video, tmp_path) for video in predicted[0])
    assert plain.shape == absolute.shape == (expected, 64, 64, 3)
    assert np.abs(plain - absolute).mean() > 2 * SAME_LEVELS  # an option that is given is heeded


def test_its_code_is_the_models_own_and_nothing_is_unpickled(
    predicted: tuple[list[bytes], dict[str, Any]], plain: Plain
) -> None:
    loaded = predicted[1]
    assert loaded["unpickled"] == []
    assert loaded["liax"].endswith("/code/liax/__init__.py")
    assert not {"ray", "deepspeed", "jobs", "pipelines"} & set(loaded["modules"])
    registry = Path(plain.environment["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")).parent
    assert not [path for path in registry.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pth")]


def test_what_its_requirements_install_is_enough_and_no_more(plain: Plain) -> None:
    pip = [str(plain.python), "-m", "pip", "--disable-pip-version-check"]
    plain.run([*pip, "check"])
    installed = {entry["name"].lower() for entry in json.loads(plain.run([*pip, "list", "--format=json"]))}
    assert "torch" in installed
    assert not {"liax", "ray", "deepspeed", "pytest"} & installed


@contextmanager
def served(plain: Plain) -> Iterator[str]:
    """`mlflow models serve` on loopback."""
    port = free_port()
    words = ["mlflow", "models", "serve", "-m", MODEL, "--env-manager", "local", "--host", "127.0.0.1"]
    log = plain.folder / "serve.log"
    with log.open("wb") as written:
        server = subprocess.Popen(
            [str(plain.python.with_name(words[0])), *words[1:], "--port", str(port), "--timeout", "300"],
            stdout=written,
            stderr=written,
            cwd=plain.folder,
            env=plain.environment,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_S
        while server.poll() is None and time.monotonic() < deadline:
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            time.sleep(0.1)
        else:
            raise AssertionError(log.read_text()[-4000:])
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def post(address: str, rows: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """The status and content of the answer to some rows."""
    body = json.dumps({"dataframe_records": rows}).encode()
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_server_answers_the_same_request_with_the_same_videos(
    predicted: tuple[list[bytes], dict[str, Any]], plain: Plain, studio: Path, tmp_path: Path
) -> None:
    source, driving = (base64.b64encode((studio / name).read_bytes()).decode() for name in ("me.png", "talk.mp4"))
    rows: list[dict[str, Any]] = [{"source": source, "driving": driving} for _ in OPTIONS]
    for row, options in zip(rows, OPTIONS, strict=True):
        if options is not None:
            row["options"] = options
    with served(plain) as address:
        status, answer = post(address, rows)
        assert status == 200
        for answered, wanted in zip(answer["predictions"], predicted[0], strict=True):
            found = pictures(base64.b64decode(answered), tmp_path) - pictures(wanted, tmp_path)
            assert np.abs(found).mean() < SAME_LEVELS
        assert post(address, rows[:1])[0] == 200  # a table without that column
        status, answer = post(address, [rows[0] | {"options": {"speed": 2}}])
        assert status == 400
        assert "unknown option 'speed'; known: mode, crop" in answer["message"]
        status, answer = post(address, [rows[0] | {"source": base64.b64encode(b"no picture").decode()}])
        assert status == 400
        assert "source" in answer["message"]
        assert "Traceback" not in json.dumps(answer)
