"""The edit command: a picture in, a picture out."""

import hashlib
import io
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas
import pytest
from PIL import Image

from jobs.main import main
from liax import storage
from liax.inference.animator import Animator
from tests.measured_controls import write_controls


@pytest.fixture(autouse=True)
def _place(studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIAX_MODEL", str(studio / "model"))


def edit(studio: Path, out: str, *options: str, source: str = "me.png") -> Image.Image:
    assert main(["edit", "-s", str(studio / source), "-o", out, *options]) == 0
    with Image.open(out) as picture:
        picture.load()
        return picture


@pytest.mark.parametrize(("name", "kind"), [("a/b.png", "PNG"), ("b.jpg", "JPEG"), ("b.WEBP", "WEBP")])
def test_formats(studio: Path, name: str, kind: str) -> None:
    picture = edit(studio, name, "--set", "3=0.2")
    assert (picture.format, picture.size, picture.mode) == (kind, (64, 64), "RGB")


def test_settings_add_up_and_change_the_picture(studio: Path) -> None:
    once, twice, other = (
        np.asarray(edit(studio, "out.png", *options), dtype=int)
        for options in (
            ["--set", "3=-0.8"],
            ["--set", "3=-0.5", "--set", "3=-0.3"],
            ["--set", "3=-0.8", "--set", "5=1"],
        )
    )
    assert abs(once - twice).max() <= 1
    assert abs(once - other).max() > 1


def test_only_the_faces_square_changes_in_the_whole_picture(studio: Path) -> None:
    edited = np.asarray(edit(studio, "out.png", "--set", "3=0.2", "--paste-back"), dtype=int)
    with Image.open(studio / "me.png") as opened:
        source = np.asarray(opened.convert("RGB"), dtype=int)
    assert edited.shape == source.shape
    changed = np.argwhere(abs(edited - source).max(axis=2) > 0)
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    assert bottom - top > 100, "an untrained model's picture is not the face"
    assert abs((bottom - top) - (right - left)) <= 4, "a square"
    assert bottom - top < source.shape[0]


def test_files_on_s3(studio: Path, s3_bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    storage.upload(studio / "me.png", f"{s3_bucket}/me.png")
    assert main(["edit", "-s", f"{s3_bucket}/me.png", "-o", f"{s3_bucket}/edit/me.jpg", "--set", "1=0.1"]) == 0
    assert storage.read_bytes(f"{s3_bucket}/edit/me.jpg", 0, 2) == b"\xff\xd8"
    assert f"{s3_bucket}/edit/me.jpg: 64x64 px" in capsys.readouterr().out


@pytest.fixture
def measured(studio: Path, tmp_path: Path) -> Path:
    """The studio's model with a `controls.json` beside its weights."""
    shutil.copytree(studio / "model", tmp_path / "measured")
    weights = (tmp_path / "measured" / "model.safetensors").read_bytes()
    write_controls(tmp_path / "measured", hashlib.sha256(weights).hexdigest())
    return tmp_path / "measured"


def test_a_named_control_is_the_same_everywhere(
    studio: Path, measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Command line, Python and plain MLflow; beside the weights and given. Yaw moves pitch by a fifth."""
    named = ["--model", str(measured), "--set", "yaw=+10", "--set", "pitch=0"]
    by_name = np.asarray(edit(studio, "name.png", *named))
    given = ["--controls", str(measured / "controls.json"), "--set", "yaw=10", "--set", "pitch=0"]
    np.testing.assert_array_equal(np.asarray(edit(studio, "given.png", *given)), by_name)

    animator = Animator.from_pretrained(measured)
    controls = {"yaw": 10, "pitch": 0}
    np.testing.assert_array_equal(animator.edit(studio / "me.png", None, controls), by_name)
    delta_M = animator.controls.delta(controls)
    assert delta_M[0] == pytest.approx(1 / 1.02, rel=0.01)
    assert delta_M[1] == pytest.approx(-0.2 / 1.02, rel=0.01)
    by_index = animator.edit(studio / "me.png", None, {"0": delta_M[0], "1": delta_M[1]})
    np.testing.assert_array_equal(by_index, by_name)

    from liax.registry.pyfunc_model import AnimatorModel

    plain = AnimatorModel()
    plain.load_context(SimpleNamespace(artifacts={"model": str(measured)}))
    row = {"source": (studio / "me.png").read_bytes(), "driving": None, "options": {"controls": controls}}
    (answer,) = plain.predict(None, pandas.DataFrame([row]))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer)).convert("RGB")), by_name)
    assert "warning" not in capsys.readouterr().out


def test_the_safe_range_is_left_only_when_told(
    studio: Path, measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ["--model", str(measured)]
    end, beyond = (np.asarray(edit(studio, "o.png", *model, "--set", f"yaw={value}"), int) for value in (18, 60))
    said = capsys.readouterr().out
    assert "warning: yaw=60 is outside the safe range -15 to 18 deg: set to 18 deg" in said
    np.testing.assert_array_equal(beyond, end)
    unsafe = np.asarray(edit(studio, "o.png", *model, "--set", "yaw=60", "--unsafe"), dtype=int)
    assert "warning: yaw=60 is outside the safe range -15 to 18 deg; the face may break" in capsys.readouterr().out
    assert abs(unsafe - end).max() > 1


@pytest.mark.parametrize(("options", "text"), [
    (["--set", "yav=3"], "did you mean yaw"),
    (["--set", "blink_left=0.5", "--unsafe"], "this model cannot do blink_left: also closes the right eye"),
    (["--set", "3=1", "--absolute"], "3 has no value that could be measured in a picture"),
    (["--set", "yaw=5", "--absolute"], "no face is found in what the model draws of the unmoved portrait"),
    (["--set", "yaw=5", "--controls", "gone.json"], "no such file: gone.json"),
])  # fmt: skip
def test_what_measured_controls_cannot_do_is_one_line(
    studio: Path, measured: Path, options: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["edit", "-s", str(studio / "me.png"), "-o", "out.png", "--model", str(measured), *options]
    assert main(line) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert text in error
    assert not Path("out.png").exists()


def test_another_models_controls_are_refused(studio: Path, measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_controls(measured, "c0ffee")
    assert main(["edit", "-s", str(studio / "me.png"), "-o", "o.png", "--model", str(measured), "--set", "3=1"]) == 2
    assert "controls.json belongs to another model" in capsys.readouterr().err
