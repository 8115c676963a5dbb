"""The benchmark of a step runs where only PyTorch and the light dependencies are."""

import json
import subprocess
import sys

import pytest

from tests.conftest import ROOT

RUN = """
import runpy, sys

sys.modules.update(dict.fromkeys({blocked}))  # None there means that there is no such module
sys.path.insert(0, {root!r})
sys.argv = {argv!r}
runpy.run_module({module!r}, run_name="__main__")
"""
BLOCKED = {"ray", "deepspeed", "mlflow", "cv2", "av", "mediapipe", "boto3", "botocore", "PIL", "tqdm", "imageio_ffmpeg"}


def run_without(module: str, *arguments: str) -> str:
    code = RUN.format(blocked=sorted(BLOCKED), root=str(ROOT), argv=[module, *arguments], module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("plain", [True, False])
def test_a_row_needs_pytorch_only(plain: bool) -> None:
    overrides = ["model.preset=tiny", "batch=4", "loss.perceptual=random", "compute.dtype=bfloat16"]
    measured = json.loads(
        run_without("benchmarks.train_row", json.dumps({"overrides": overrides, "plain": plain, "runs": 1}))
    )
    assert len(measured["usual_s"]) == len(measured["r1_s"]) == 1
    assert min(measured["usual_s"] + measured["r1_s"]) > 0
    assert measured["peak_bytes"] is None or measured["peak_bytes"] > 2**20


def test_the_tables_program_needs_no_more() -> None:
    assert "--full-stack" in run_without("benchmarks.train_step", "--help")
