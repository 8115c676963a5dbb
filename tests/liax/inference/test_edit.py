"""A portrait edited, from file to file."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from liax.attributes import attributes_of, readout
from liax.controls_file import ControlsFile
from liax.crop import cut
from liax.errors import UserError
from liax.face import FaceFinder
from liax.inference.animator import Animator
from liax.inference.controls import Controls
from liax.inference.portraits import open_portraits
from liax.inference.renderer import Renderer
from liax.inference.transfer import shifted
from liax.model.config import preset
from liax.model.network import LiaX
from liax.pictures import load_picture
from liax.synthetic.animator import SyntheticAnimator
from liax.synthetic.scenes import portrait
from tests.liax.model import drawn
from tests.measured_controls import measured_control


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as finder:
        yield finder


def test_it_adds_to_the_portraits_own_pose(finder: FaceFinder, tmp_path: Path) -> None:
    animator = Animator(Renderer(drawn.fill(LiaX(preset("tiny"))).eval(), "cpu", "float32"))
    me = tmp_path / "me.png"
    Image.fromarray(portrait()).save(me)
    portraits = open_portraits(me, 64, finder, paste_back=True)
    delta_M = np.zeros(20, np.float32)
    delta_M[[2, 7]] = 0.5, -1.5
    (expected,) = shifted(animator.renderer, portraits.pictures[0], [delta_M])
    controls = {"2": 0.2, 2: 0.3, 7: -1.5}
    np.testing.assert_array_equal(animator.edit(me, None, controls), expected)
    whole = animator.edit(me, tmp_path / "out.png", controls, paste_back=True)
    np.testing.assert_array_equal(load_picture(tmp_path / "out.png"), whole)
    assert whole.shape == (512, 512, 3)
    small = cut(whole, portraits.squares[0], 64)[16:-16, 16:-16]
    assert np.abs(small.astype(float) - expected[16:-16, 16:-16]).mean() < 2


def test_the_written_picture_shows_the_absolute_values_that_are_said(
    finder: FaceFinder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = SyntheticAnimator()
    yaw = measured_control(units=[-24.0, 0.0, 24.0], coefficients=[-4.0, 0.0, 4.0], safe=(-24.0, 24.0))
    file = ControlsFile(model_sha256="0", directions=model.directions, controls={"yaw": yaw})
    known = Animator(model, Controls(model.directions, file=file))
    Image.fromarray(model.portrait(3)).save(tmp_path / "three.png")
    picture = known.edit(tmp_path / "three.png", tmp_path / "out.png", {"yaw": 12}, absolute=True, crop=False)
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"reached yaw 1[0-3](\.\d+)? of 12 deg", line)
    np.testing.assert_array_equal(load_picture(tmp_path / "out.png"), picture)
    (face,) = finder.find(picture)
    assert readout(("yaw",)) @ attributes_of(face, picture.shape[0]) == pytest.approx(12, abs=2)
    with pytest.raises(UserError, match="0 has no value that could be measured"):
        known.edit(tmp_path / "gone.png", None, {0: 1}, absolute=True)
