"""Credentials stay where they are given: a whole run with planted ones, then a search in all that it wrote."""

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from liax import storage
from liax.synthetic.scenes import portrait
from liax.synthetic.videos import write_video
from tests.mlflow_server import MlflowServer

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.timeout(1500)]

PASSWORD = "planted-mlflow-password"
PLANTED = {
    "AWS_ACCESS_KEY_ID": "PLANTEDACCESSKEYID00",
    "AWS_SECRET_ACCESS_KEY": "planted-secret-access-key",
    "AWS_SESSION_TOKEN": "planted-session-token",
}
"""The server of these tests takes any."""
SOUGHT = {
    **{name: value.encode() for name, value in PLANTED.items()},
    "MLflow's password": PASSWORD.encode(),
    "MLflow's password in a header": base64.b64encode(f"team:{PASSWORD}".encode()).rstrip(b"="),
}
TRAINING = ["batch=2", "steps=2", "workers=1", "model.preset=tiny", "loss.perceptual=none", "tracking.pictures=1"]


@pytest.fixture
def ray_folder() -> Iterator[Path]:
    """Where Ray leaves its logs. Short, for sockets lie in it."""
    folder = Path(tempfile.mkdtemp(prefix="liax-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_nothing_that_a_run_writes_has_a_credential(s3_bucket: str, ray_folder: Path, tmp_path: Path) -> None:
    for number in range(2):
        write_video(tmp_path / "videos" / f"{number}.mp4", seconds=1.2, size_px=128, seed=number)
    Image.fromarray(portrait()).save(tmp_path / "me.png")
    for file in (tmp_path / "videos").glob("*.mp4"):
        storage.upload(file, f"{s3_bucket}/videos/{file.name}")
    server = MlflowServer(tmp_path / "mlflow").start()
    environment = os.environ | PLANTED | {
        "MLFLOW_TRACKING_URI": server.uri.replace("//", f"//team:{PASSWORD}@"),
        "RAY_TMPDIR": str(ray_folder),
    }  # fmt: skip

    def run(*words: str, fails: bool = False) -> None:
        """One command; what it prints is kept in a file."""
        with (tmp_path / "said.log").open("ab") as log:
            done = subprocess.run(
                [sys.executable, "-m", "jobs.main", *words],
                cwd=tmp_path,
                env=environment,
                stdout=log,
                stderr=log,
                timeout=600,
                check=False,
            )
        assert (done.returncode != 0) == fails, (tmp_path / "said.log").read_text()[-3000:]

    shards, output = f"{s3_bucket}/faces", f"{s3_bucket}/run"
    cut = ["clip.size_px=64", "clip.least_s=0.3", "faces.least_face_px=40", "split.val_fraction=0"]
    try:
        run("preprocess", f"input={s3_bucket}/videos", f"output={shards}", *cut)
        run("train", f"shards={shards}", f"output={output}", *TRAINING)
        run("track", output)
        run("register", output, "--name", "face", "--alias", "candidate")
        judged = [f"videos={s3_bucket}/videos", f"output={s3_bucket}/judged", "frames=3", "allow_training_people=true"]
        run("evaluate", "model=models:/face@candidate", *judged)
        run("pull", "models:/face@candidate", "model")
        run("animate", "-s", "me.png", "-d", "videos/0.mp4", "-o", "out.mp4", "--model", "models:/face@candidate")
        # Mistakes, whose messages show addresses.
        run("pull", "models:/face@nobody", "none", fails=True)
        run("train", f"shards={s3_bucket}/none", f"output={output}2", *TRAINING, fails=True)
        run("train", f"shards={shards}", f"output={output}2", f"tracking.uri=http://a:{PASSWORD}@b:1", fails=True)
        server.kill()
        run("register", output, "--name", "face", fails=True)
    finally:
        server.kill()
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    for number, url in enumerate(storage.list_files(s3_bucket)):
        with storage.local_copy(url) as local:
            shutil.copyfile(local, fetched / f"{number}")
    files = [path for folder in (tmp_path, ray_folder) for path in folder.rglob("*") if path.is_file()]
    assert any(path.is_relative_to(ray_folder) and path.suffix == ".log" for path in files), "Ray logged elsewhere"
    assert found_in(files, server.uri.partition("//")[2].encode()), "the search finds nothing at all"
    for name, value in SOUGHT.items():
        assert not found_in(files, value), f"{name} was written"


def found_in(files: list[Path], value: bytes) -> list[Path]:
    """The files that hold a value."""
    return [file for file in files if value in file.read_bytes()]
