"""The published layout's numbers, which lie beside a developer's checkout: every entry to 1e-5."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from liax.model.config import ModelConfig
from liax.model.official import from_official, names
from tests.liax.model import drawn

BOUND = 1e-5
EDIT = {37: 0.4, 28: -0.25, 13: 0.3}
NAVIGATIONS = ("reconstruct", "absolute", "relative_edited", "edited", "no_motion")
CODES = ("z_source", "alpha_source", "alpha_driving_first", "alpha_driving", "navigated_relative")
STATISTICS = ("directions_gram", *(f"feature_{level}_mean_std" for level in range(7)))


@pytest.fixture(scope="module")
def reference(conformance: Path) -> dict[str, Tensor]:
    with np.load(conformance / "lia_x_half.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file}


@pytest.fixture(scope="module")
def listing(conformance: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the released checkpoint, s = 2."""
    text = (conformance / "lia_x_official_state_dict_shapes.json").read_text()
    return {name: tuple(shape) for name, shape in json.loads(text).items()}


@pytest.fixture(scope="module")
def outputs(listing: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    quarter = {1024: 256, 512: 128, 256: 64, 128: 32}
    model = from_official(
        drawn.official({name: tuple(quarter.get(n, n) for n in shape) for name, shape in listing.items()})
    )
    with torch.inference_mode():
        z, features = model.encode(drawn.pictures("source", 1, 512))
        alpha = model.motion_coefficients(z)
        first, last = model.motion_coefficients(model.code(drawn.pictures("driving", 2, 512))).split(1)
        edited = alpha.clone()
        for direction, amount in EDIT.items():
            edited[:, direction] += amount
        relative = model.navigate(z, last, first, edited)
        codes = (model.navigate(z, alpha), model.navigate(z, last), relative, model.navigate(z, edited), z)
        return {
            "z_source": z,
            "alpha_source": alpha,
            "alpha_driving_first": first,
            "alpha_driving": last,
            "directions_gram": model.dictionary().T @ model.dictionary(),
            "navigated_relative": relative,
            **{f"feature_{i}_mean_std": torch.stack((map_.mean(), map_.std())) for i, map_ in enumerate(features)},
            **{
                f"out_{name}": model.decode(code, features)[..., ::4, ::4]
                for name, code in zip(NAVIGATIONS, codes, strict=True)
            },
        }


def test_every_official_name_is_written_in_its_order(listing: dict[str, tuple[int, ...]]) -> None:
    assert list(names(ModelConfig(width=2))) == list(listing)


@pytest.mark.parametrize("name", [*CODES, *STATISTICS, *(f"out_{name}" for name in NAVIGATIONS)])
def test_agrees(name: str, outputs: dict[str, Tensor], reference: dict[str, Tensor]) -> None:
    assert drawn.distance(outputs[name], reference[name], centred=name not in STATISTICS) <= BOUND


def test_nothing_in_the_reference_is_left_unchecked(outputs: dict[str, Tensor], reference: dict[str, Tensor]) -> None:
    assert set(outputs) == set(reference)
