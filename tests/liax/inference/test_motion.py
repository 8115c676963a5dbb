"""Motion files: there and back, and what is refused."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from liax.errors import UserError
from liax.inference.motion import FORMAT, Motion, space_id
from liax.inference.renderer import Renderer
from liax.model.config import preset
from liax.model.network import LiaX


@pytest.fixture
def motion() -> Motion:
    random = np.random.default_rng(0)
    head_pose = random.standard_normal((7, 3)).astype(np.float32)
    head_pose[2:] = np.nan
    return Motion(random.standard_normal((7, 20)).astype(np.float32), Fraction(30000, 1001), head_pose, "0123")


def test_there_and_back(motion: Motion, tmp_path: Path) -> None:
    path = tmp_path / "new" / "talk.motion"
    motion.save(path)
    back = Motion.load(path)
    np.testing.assert_array_equal(back.coefficients_TM, motion.coefficients_TM)
    np.testing.assert_array_equal(back.head_pose_T3, motion.head_pose_T3)
    assert (back.fps, back.space_id) == (motion.fps, motion.space_id)
    assert [file.name for file in path.parent.iterdir()] == ["talk.motion"]


def test_the_name_says_what_it_is(motion: Motion, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ends in \.motion"):
        motion.save(tmp_path / "talk.bin")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [
    {"coefficients": np.zeros((0, 20), np.float32)},
    {"coefficients": np.zeros(7, np.float32)},
    {"coefficients": np.zeros((7, 20))},
    {"coefficients": np.full((7, 20), np.nan, np.float32)},
    {"head_pose_deg": np.zeros((6, 3), np.float32)},
    {"head_pose_deg": None},
    {"fps": "0"},
    {"fps": "1/0"},
    {"fps": "often"},
    {"space_id": None},
    {"format": "other"},
])  # fmt: skip
def test_what_is_no_motion_is_refused(change: dict, tmp_path: Path) -> None:
    arrays = {"coefficients": np.zeros((7, 20), np.float32), "head_pose_deg": np.zeros((7, 3), np.float32)}
    about = {"format": FORMAT, "fps": "25", "space_id": "0123"}
    save_file(arrays, tmp_path / "sound.motion", about)
    Motion.load(tmp_path / "sound.motion")
    for parts in (arrays, about):
        parts.update({name: value for name, value in change.items() if name in parts})
        for name in [name for name, value in parts.items() if value is None]:
            del parts[name]
    save_file(arrays, tmp_path / "v.motion", about)
    with pytest.raises(UserError, match=r"v\.motion is not a motion file"):
        Motion.load(tmp_path / "v.motion")


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.motion").write_text("not a motion")
    (tmp_path / "empty.motion").touch()
    for name, text in (("text", "not a motion file"), ("empty", "not a motion file"), ("absent", "no such file")):
        with pytest.raises(UserError, match=text):
            Motion.load(tmp_path / f"{name}.motion")


@pytest.mark.parametrize("part", ["directions.weight", "to_motion.weight", "to_motion.bias"])
def test_every_weight_that_gives_motion_its_meaning_is_in_the_id(part: str) -> None:
    torch.manual_seed(0)
    model = LiaX(preset("tiny"))
    before = space_id(model)
    with torch.no_grad():
        model.decoder.constant += 1
        assert space_id(model) == before
        model.get_parameter(part).view(-1)[-1] += 1e-6
    assert space_id(model) != before


def test_the_id_is_the_same_on_the_way_to_use() -> None:
    torch.manual_seed(0)
    model = LiaX(preset("tiny"))
    before = space_id(model)
    assert space_id(Renderer(model, "cpu", "float32").model) == before


def test_another_models_motion_is_refused(motion: Motion) -> None:
    motion.check_space("0123")
    with pytest.raises(UserError, match=r"talk\.motion was measured by another model"):
        motion.check_space("4567", "talk.motion")
