"""Checkpoints: what is in them, which one is meant, and what is said of those that cannot be used."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from liax import storage
from liax.errors import UserError
from liax.model.config import ModelConfig, preset
from liax.model.weights import load_model
from liax.training.checkpoint import BEST, LATEST, best_checkpoint, latest_checkpoint, open_checkpoint, restore
from liax.training.checkpoint_writer import CheckpointWriter
from liax.training.place import alone
from tests.checkpoints import TINY, configure, make, update, value_of, write


def test_a_run_continues_with_all_that_it_was(output: str) -> None:
    networks = make()
    for seed in range(3):
        update(networks, seed)
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    np.random.standard_normal(), random.gauss(), torch.rand(1)  # half a pair of normal numbers is left over
    with CheckpointWriter(configure(output), alone(), "id") as writer:
        writer.save(networks, 3, score=0.5, skipped=1)
    drawn = torch.rand(3), np.random.standard_normal(3), random.gauss(), random.random()
    saved = latest_checkpoint(output)
    assert saved is not None
    others = make(seed=1)
    restore(others, saved)
    assert torch.rand(3).equal(drawn[0])
    assert (np.random.standard_normal(3) == drawn[1]).all()
    assert (random.gauss(), random.random()) == drawn[2:]
    for name, trained in networks.trained().items():
        restored = others.trained()[name]
        for one, other in (
            (trained.weights(), restored.weights()),
            (trained.optimizer_state(), restored.optimizer_state()),
        ):
            assert one.keys() == other.keys()
            assert all(one[key].equal(other[key]) for key in one)
    assert networks.ema is not None
    model = load_model(saved.url)
    assert all(t.equal(model.state_dict()[name]) for name, t in networks.ema.model.state_dict().items())
    state = saved.state
    assert (state.step, state.pairs, state.skipped, state.score) == (3, 12, 1, 0.5)
    assert state.updates == {"generator": 3, "discriminator": 3}
    assert {"torch", "liax"} <= state.versions.keys()
    assert state.sizes_bytes == {name: storage.size(storage.join(saved.url, name)) for name in state.files}


def test_best_and_latest_name_what_is_kept(output: str) -> None:
    write(output, [3.0, 1.0, 2.0, float("nan"), None, 1.0])
    assert [value_of(open_checkpoint(f"{output}/checkpoints/{name}")) for name in (LATEST, BEST)] == [6, 2]
    assert value_of(open_checkpoint(output)) == 6
    assert value_of(open_checkpoint(f"{output}/checkpoints/00000005")) == 5
    left = {name.split("/")[-2] for name in storage.list_files(f"{output}/checkpoints", [".json"])}
    assert left == {"00000002", "00000005", "00000006"}
    with pytest.raises(UserError, match="no complete checkpoint"):
        open_checkpoint(f"{output}/checkpoints/00000003")
    storage.remove(f"{output}/checkpoints/{BEST}")
    assert value_of(best_checkpoint(output)) == 2
    storage.remove(f"{output}/checkpoints/00000002/config.json")
    assert value_of(best_checkpoint(output)) == 6


def test_without_validation_the_best_is_the_latest(tmp_path: Path) -> None:
    assert best_checkpoint(str(tmp_path)) is None
    assert latest_checkpoint(str(tmp_path)) is None
    write(tmp_path, [None, None])
    assert value_of(best_checkpoint(str(tmp_path))) == 2
    assert not (tmp_path / "checkpoints" / BEST).exists()


def cut(folder: Path) -> None:
    os.truncate(folder / "generator.safetensors", 1000)


def lose(folder: Path) -> None:
    (folder / "optimizer_generator.safetensors").unlink()


def half_a_state(folder: Path) -> None:
    os.truncate(folder / "state.json", 300)


def no_state(folder: Path) -> None:
    (folder / "state.json").unlink()


@pytest.mark.parametrize("damage", [cut, lose, half_a_state, no_state, shutil.rmtree])
def test_what_is_not_complete_is_passed_over_and_told(
    tmp_path: Path, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, [None] * 2)
    damage(tmp_path / "checkpoints" / "00000002")
    saved = latest_checkpoint(str(tmp_path))
    assert value_of(saved) == 1
    assert saved is not None
    restore(make(), saved)
    assert "00000002 is not complete: training continues at" in capsys.readouterr().out


def test_a_file_with_other_bytes_is_told(tmp_path: Path) -> None:
    write(tmp_path, [None])
    file = tmp_path / "checkpoints" / "00000001" / "generator.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    saved = latest_checkpoint(str(tmp_path))
    assert saved is not None
    with pytest.raises(UserError, match=r"generator\.safetensors was changed or damaged .* remove .*00000001"):
        restore(make(), saved)


def test_a_state_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, [None])
    folder = tmp_path / "checkpoints" / "00000001"
    values = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**values, "step": "many"}))
    with pytest.raises(UserError, match=r"state\.json is damaged, or of another version of liax \(step: .*\)"):
        open_checkpoint(str(folder))


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (preset("tiny"), r"00000001 is of 64 px, width 0\.015625.*, this run's network is of preset tiny at 64 px: "),
        (TINY.model_copy(update={"size_px": 128}), r"is of 64 px, .* this run's network is of 128 px, "),
    ],
)
def test_another_layout_is_refused_by_its_name(tmp_path: Path, layout: ModelConfig, message: str) -> None:
    write(tmp_path, [None])
    saved = latest_checkpoint(str(tmp_path))
    assert saved is not None
    with pytest.raises(UserError, match=message):
        restore(make(layout=layout), saved)


def test_a_renamed_tensor_is_refused_before_anything_changes(tmp_path: Path) -> None:
    networks = make()
    update(networks, 0)
    with CheckpointWriter(configure(tmp_path), alone(), "id") as writer:
        writer.save(networks, 1)
    saved = latest_checkpoint(str(tmp_path))
    assert saved is not None
    others = make(seed=1)
    name, parameter = next(iter(others.generator.module.named_parameters()))
    others.generator.module.register_buffer("extra", torch.zeros(1))
    with pytest.raises(UserError, match=r"generator\.safetensors does not fit the model, 1 entries .*extra is missing"):
        restore(others, saved)
    assert parameter.equal(dict(make(seed=1).generator.module.named_parameters())[name])
