"""The network's numbers at 64 px, so that a clone without the published layout's numbers still checks them.

The file was written in float64 by a network that reproduces the published numbers at 512 px. To write it anew, after a
change that is meant to change them: `python -m tests.liax.model.test_golden`.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from liax.model.config import ModelConfig
from liax.model.network import LiaX
from tests.liax.model import drawn

FILE = Path(__file__).with_name("golden.npz")
CONFIG = ModelConfig(size_px=64, width=1 / 8, blocks=2, directions=20)
BOUND = 1e-5
NAMES = (
    "z_source",
    "a_driving",
    "directions",
    "navigated_relative",
    "out_absolute",
    "out_relative_edited",
    "out_no_motion",
)


@torch.inference_mode()
def outputs(dtype: torch.dtype) -> dict[str, Tensor]:
    model = LiaX(CONFIG)
    drawn.fill(model).to(dtype).eval()
    source, driving = drawn.pictures("source", 1, 64).to(dtype), drawn.pictures("driving", 2, 64).to(dtype)
    z, features = model.encode(source)
    a = model.motion_coefficients(model.code(driving))
    edited = model.motion_coefficients(z)
    edited[:, 3] += 0.4
    relative = model.navigate(z, a[1:], a[:1], edited)
    return {
        "z_source": z,
        "a_driving": a,
        "directions": model.dictionary(),
        "navigated_relative": relative,
        "out_absolute": model(source, driving[1:])[0][..., ::2, ::2],
        "out_relative_edited": model.decode(relative, features)[..., ::2, ::2],
        "out_no_motion": model.decode(z, features)[..., ::2, ::2],
    }


@pytest.fixture(scope="module")
def found() -> dict[str, Tensor]:
    return outputs(torch.float32)


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with np.load(FILE) as file:
        return {name: torch.from_numpy(file[name]) for name in file}


@pytest.mark.parametrize("name", NAMES)
def test_agrees(name: str, found: dict[str, Tensor], golden: dict[str, Tensor]) -> None:
    assert drawn.distance(found[name], golden[name]) <= BOUND


def test_motion_and_edits_show(golden: dict[str, Tensor]) -> None:
    """Pictures that did not depend on the motion would agree whatever the flow branch does."""
    assert drawn.distance(golden["out_absolute"], golden["out_no_motion"]) > 0.01
    assert drawn.distance(golden["out_relative_edited"], golden["out_absolute"]) > 0.01


if __name__ == "__main__":
    np.savez_compressed(FILE, **{name: value.float().numpy() for name, value in outputs(torch.float64).items()})
