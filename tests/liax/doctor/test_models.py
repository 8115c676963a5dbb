"""The models that jobs load."""

from pathlib import Path

import pytest

from liax.doctor.models import get_models, judge_models
from liax.weights import VGG19


def test_what_is_not_to_be_had_is_wrong_or_a_warning_and_what_nobody_gave_is_not_checked() -> None:
    said = {
        "a": {"face model": "cannot get it", "identity model": "nor that"},
        "b": {"face model": "", "identity model": ""},
    }
    found = {(one.check, *one.nodes): one for one in judge_models(said)}
    assert found["face model", "a"].state == "wrong"
    assert "LIAX_FACE_LANDMARKER" in found["face model", "a"].mend
    assert found["identity model", "a"].state == "warning"
    assert found["face model", "b"].state == "ok"
    assert found["VGG-19", "b"].state == "not checked"


def test_a_wrong_file_is_told_and_vgg19_left_out_where_nobody_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "other.task"
    wrong.write_bytes(b"another file")
    for name in ("LIAX_FACE_LANDMARKER", "LIAX_DLIB_FACE_RECOGNITION"):
        monkeypatch.setenv(name, str(wrong))
    monkeypatch.setenv("LIAX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(VGG19.variable, raising=False)
    found = get_models(None)
    assert set(found) == {"face model", "identity model"}
    assert "other.task is not face_landmarker.task" in found["face model"]
    assert "no such file" in get_models(str(tmp_path / "none.pth"))["VGG-19"]
