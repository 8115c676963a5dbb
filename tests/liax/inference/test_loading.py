"""What a user may call a model."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from liax import storage
from liax.errors import UserError
from liax.inference.animator import Animator
from liax.inference.loading import load, load_controls
from liax.model.config import ModelConfig, preset
from liax.model.network import LiaX
from liax.model.official import to_official
from liax.model.weights import save_model
from liax.pictures import from_model, to_model
from tests.liax.model import drawn
from tests.measured_controls import write_controls


def official(folder: Path, directions: int) -> LiaX:
    """A small network of the released form, saved as `lia-x.pt`."""
    model = drawn.fill(LiaX(ModelConfig(size_px=512, width=5 / 64, blocks=1, directions=directions))).eval()
    torch.save(to_official(model), folder / "lia-x.pt")
    return model


def test_a_released_file_gives_the_networks_own_pictures_and_its_names(tmp_path: Path) -> None:
    model = official(tmp_path, 40)
    animator = Animator(*load(tmp_path / "lia-x.pt", "cpu", "float32"))
    assert (animator.size_px, animator.controls.directions) == (512, 40)
    assert animator.controls.indices("yaw") == (37, 39)
    (picture,) = from_model(drawn.pictures("loading", 1, 512))
    (result,) = animator.frames(picture, [picture], controls={"pitch": 0.3, 31: 0.1})
    with torch.inference_mode():
        z, features = model.encode(to_model([picture]))
        a = model.motion_coefficients(z)
        a[:, 28] += 0.3
        a[:, 31] += 0.1
        (expected,) = from_model(model.decode(model.navigate(z, a), features))
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_names_are_the_released_dictionarys_only(tmp_path: Path) -> None:
    official(tmp_path, 20)
    save_model(LiaX(preset("tiny")), tmp_path / "own")
    for source in (tmp_path / "lia-x.pt", tmp_path / "own"):
        _, controls = load(source, "cpu", "float32")
        assert controls.directions == 20
        assert not controls.named


def test_a_model_on_s3_loads(s3_bucket: str, tmp_path: Path) -> None:
    save_model(LiaX(preset("tiny")), f"{s3_bucket}/own")
    assert load(f"{s3_bucket}/own/", "cpu", "float32")[0].size_px == 64
    with pytest.raises(UserError, match="no model in s3://bucket/nothing"):
        load(f"{s3_bucket}/nothing", "cpu", "float32")
    with pytest.raises(UserError, match=r"no such object: s3://bucket/lia-x\.pt"):
        load(f"{s3_bucket}/lia-x.pt", "cpu", "float32")


@pytest.mark.parametrize(("name", "text"), [
    ("nothing", r"no model in .*nothing: give a folder"),
    ("me.png", r"no model in .*me\.png: give a folder"),
    ("absent.pt", "no such file: .*absent.pt"),
    ("folder.pt", "no such file: .*folder.pt"),
])  # fmt: skip
def test_what_is_no_model_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "me.png").touch()
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(UserError, match=text):
        load(tmp_path / name, "cpu", "float32")


def test_a_wrong_device_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no device tpu"):
        load(tmp_path / "absent.pt", "tpu")


def test_an_address_of_mlflow_is_for_registered_models_only(tmp_path: Path) -> None:
    save_model(LiaX(preset("tiny")), tmp_path / "own")
    for name in (str(tmp_path / "own"), str(tmp_path / "lia-x.pt")):
        with pytest.raises(UserError, match=r"is not in MLflow: leave out its address, sqlite:///m\.db"):
            load(name, "cpu", "float32", "sqlite:///m.db")


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_controls_beside_the_weights_go_with_the_model(tmp_path: Path) -> None:
    save_model(LiaX(preset("tiny")), tmp_path / "own")
    write_controls(tmp_path / "own", sha256_of(tmp_path / "own" / "model.safetensors"))
    _, controls = load(tmp_path / "own", "cpu", "float32")
    for found in (controls, load_controls(tmp_path / "own")):
        assert found.delta({"yaw": 10})[0] == 1
        assert list(found.measured) == ["yaw", "pitch", "smile", "blink_left"]


def test_other_controls_can_be_given(tmp_path: Path) -> None:
    save_model(LiaX(preset("tiny")), tmp_path / "own")
    weights = sha256_of(tmp_path / "own" / "model.safetensors")
    write_controls(tmp_path / "own", "not these weights'")
    given = write_controls(tmp_path, weights)
    assert "yaw" in load(tmp_path / "own", "cpu", "float32", controls=given)[1].measured
    assert "yaw" in load_controls(tmp_path / "own", controls=given).measured


def test_a_released_file_that_its_user_has_measured(tmp_path: Path) -> None:
    official(tmp_path, 40)
    given = write_controls(tmp_path, sha256_of(tmp_path / "lia-x.pt"), directions=40)
    assert load_controls(tmp_path / "lia-x.pt").indices("yaw") == (37, 39), "a folder's controls are no file's"
    for controls in (
        load(tmp_path / "lia-x.pt", "cpu", "float32", controls=given)[1],
        load_controls(tmp_path / "lia-x.pt", controls=given),
        load_controls(given.rename(tmp_path / "lia-x.controls.json").with_name("lia-x.pt")),
    ):
        assert controls.delta({"yaw": 10}).nonzero()[0].tolist() == [0]
        assert not controls.named
    write_controls(tmp_path, "c0ffee", directions=40).rename(tmp_path / "lia-x.controls.json")
    with pytest.raises(UserError, match=r"lia-x\.controls\.json belongs to another model"):
        load_controls(tmp_path / "lia-x.pt")


def test_controls_of_another_model_are_refused(tmp_path: Path) -> None:
    save_model(LiaX(preset("tiny")), tmp_path / "own")
    official(tmp_path, 40)
    other = write_controls(tmp_path, "c0ffee" * 10 + "c0ff")
    for read in (load, load_controls):
        for source in (tmp_path / "own", tmp_path / "lia-x.pt"):
            with pytest.raises(UserError, match=r"belongs to another model \(weights c0ffeec0ffee.*: measure this one"):
                read(source, controls=other)
    beside = write_controls(tmp_path / "own", sha256_of(tmp_path / "own" / "model.safetensors"), directions=19)
    with pytest.raises(UserError, match="those of 19 directions, and this model has 20"):
        load(tmp_path / "own", "cpu", "float32")
    beside.write_text("[3")
    with pytest.raises(UserError, match=r"own/controls\.json is not JSON"):
        load(tmp_path / "own", "cpu", "float32")
    with pytest.raises(UserError, match=r"no such file: .*gone\.json"):
        load(tmp_path / "own", "cpu", "float32", controls=tmp_path / "gone.json")


def test_controls_on_s3(s3_bucket: str, tmp_path: Path) -> None:
    save_model(LiaX(preset("tiny")), tmp_path)
    write_controls(tmp_path, sha256_of(tmp_path / "model.safetensors"))
    for name in ("model.safetensors", "config.json", "controls.json"):
        storage.upload(tmp_path / name, f"{s3_bucket}/own/{name}")
    for controls in (load(f"{s3_bucket}/own/", "cpu", "float32")[1], load_controls(f"{s3_bucket}/own")):
        assert controls.unit("yaw") == "deg"
