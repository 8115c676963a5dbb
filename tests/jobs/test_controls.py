"""The list of what can be set of a model."""

import hashlib
import json
from pathlib import Path

import pytest

from jobs.main import main
from liax.model.config import preset
from liax.model.network import LiaX
from liax.model.weights import save_model
from tests.measured_controls import write_controls


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_model(LiaX(preset("tiny")), tmp_path / "model")
    return tmp_path / "model"


def measure(model: Path) -> None:
    write_controls(model, hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest())


def test_names_units_ranges_and_what_cannot_be_done(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(model)
    assert main(["controls", "--model", str(model)]) == 0
    head, yaw, pitch, smile, blink, rest = capsys.readouterr().out.splitlines()
    assert head.split()[:6] == ["control", "unit", "from", "to", "error", "status"]
    assert yaw.split(maxsplit=6) == ["yaw", "deg", "-15", "+18", "0.8", "certified", "the head turns to its left"]
    assert pitch.startswith("pitch ")
    assert smile.endswith("approximate  the mouth smiles (also moves mouth_open)")
    assert blink.split(maxsplit=3) == [
        "blink_left", "share", "unavailable", "the subject's left eye closes (also closes the right eye)"
    ]  # fmt: skip
    assert rest == "and by number: directions 0 to 19, without units"
    assert len({line.index(status) for line, status in ((yaw, "certified"), (smile, "approximate"))}) == 1


def test_for_other_programs(model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    measure(model)
    monkeypatch.setenv("LIAX_MODEL", str(model))
    assert main(["controls", "--json"]) == 0
    yaw, *others = json.loads(capsys.readouterr().out)
    assert (yaw["name"], yaw["unit"], yaw["span"], yaw["error"]) == ("yaw", "deg", [-15.0, 18.0], 0.8)
    assert [other["status"] for other in others] == ["certified", "approximate", "unavailable"]


def test_a_model_without_names(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["controls", "--model", str(model)]) == 0
    assert capsys.readouterr().out == "directions 0 to 19, without names: `liax atlas` finds out what they do\n"


@pytest.mark.parametrize(("options", "text"), [
    ([], "no model: give --model or set LIAX_MODEL"),
    (["--model", "gone"], "no model in gone"),
    (["--model", "model", "--controls", "gone.json"], "no such file: gone.json"),
    (["--model", "model", "--controls", "other/controls.json"], "belongs to another model"),
])  # fmt: skip
def test_mistakes_are_one_line(
    model: Path, options: list[str], text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIAX_MODEL", raising=False)
    monkeypatch.chdir(model.parent)
    Path("other").mkdir()
    write_controls(Path("other"), "c0ffee")
    assert main(["controls", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert text in line
