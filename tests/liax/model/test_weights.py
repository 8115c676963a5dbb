"""A network on disk, and what is refused on the way back."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from liax.errors import UserError
from liax.model.config import ModelConfig
from liax.model.network import LiaX
from liax.model.weights import load_model, save_model

CONFIG = ModelConfig(size_px=64, width=1 / 16, blocks=1, directions=20)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(LiaX(CONFIG), tmp_path / "model")
    return tmp_path / "model"


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    model = LiaX(CONFIG).eval()
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"model.safetensors", "config.json"}
    assert again.config == CONFIG
    assert not again.training
    assert all(torch.equal(again.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
    pictures = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(pictures, pictures)[0], again(pictures, pictures)[0])


def test_it_can_be_trained_on(folder: Path) -> None:
    model = load_model(folder).train()
    pictures = torch.randn(2, 3, 64, 64)
    model(pictures, pictures)[0].abs().mean().backward()
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model.encoder.first.conv.weight.grad is not None


def test_half_precision_files_load_as_float32(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    save_file({name: tensor.half() for name, tensor in state.items()}, folder / "model.safetensors")
    assert {parameter.dtype for parameter in load_model(folder).parameters()} == {torch.float32}


def test_entries_that_do_not_fit_are_listed(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    state["other"] = state.pop("to_motion.bias")
    state["directions.weight"] = torch.zeros(32, 19)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(UserError) as caught:
        load_model(folder)
    message = str(caught.value)
    assert "to_motion.bias is missing" in message
    assert "other is unexpected" in message
    assert "directions.weight has shape [32, 19] instead of [32, 20]" in message
    assert "\n" not in message


def test_a_file_that_fits_nowhere_gives_a_short_error(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"blocks": 4}))
    with pytest.raises(UserError, match=r"and \d+ more$") as caught:
        load_model(folder)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_missing_and_broken_files_are_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"not this")
    with pytest.raises(UserError, match=name):
        load_model(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match=name):
        load_model(folder)
