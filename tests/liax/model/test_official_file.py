"""Released checkpoints as files: every form that they come in, and everything else that has their ending."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from liax.errors import UserError
from liax.model.config import ModelConfig
from liax.model.network import LiaX
from liax.model.official import to_official
from liax.model.official_file import load_official

CONFIG = ModelConfig(size_px=512, width=1 / 64, blocks=1, directions=8)


@pytest.fixture(scope="module")
def model() -> LiaX:
    torch.manual_seed(0)
    return LiaX(CONFIG)


@pytest.fixture(scope="module")
def state(model: LiaX) -> dict[str, Tensor]:
    return {name: tensor.detach().contiguous() for name, tensor in to_official(model).items()}


def old_format(state: Any, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(("name", "write"), [
    ("lia-x.pt", torch.save),
    ("LIA-X.PTH", torch.save),
    ("old.pt", old_format),
    ("nested.pt", lambda state, path: torch.save({"gen": state, "step": 7, "lr": 0.1, "names": ["a"]}, path)),
    ("training.pt", lambda state, path: torch.save({"gen": state, "dis": {"x": torch.zeros(1)}}, path)),
    ("lia-x.safetensors", save_file),
])  # fmt: skip
def test_every_form_loads(model: LiaX, state: dict[str, Tensor], tmp_path: Path, name: str, write: Callable) -> None:
    write(state, tmp_path / name)
    loaded = load_official(tmp_path / name)
    assert loaded.config == CONFIG
    assert not loaded.training
    ours = model.state_dict()
    assert all(torch.equal(tensor, ours[entry]) for entry, tensor in loaded.state_dict().items())


class Payload:
    """Runs code when it is unpickled carelessly."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable, tuple[Path]]:
        return Path.touch, (self.mark,)


def test_a_pickle_with_anything_else_is_refused_and_not_run(state: dict[str, Tensor], tmp_path: Path) -> None:
    for write in (torch.save, old_format):
        write({**state, "extra": Payload(tmp_path / "mark")}, tmp_path / "bad.pt")
        with pytest.raises(UserError, match=r"bad\.pt holds other things than tensors.*safetensors") as caught:
            load_official(tmp_path / "bad.pt")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "mark").exists()


def test_a_whole_network_is_refused(model: LiaX, tmp_path: Path) -> None:
    torch.save(model, tmp_path / "bad.pt")
    with pytest.raises(UserError, match="holds other things than tensors"):
        load_official(tmp_path / "bad.pt")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 and nothing more", bytes(1000)])
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"bad{ending}"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.") as caught:
        load_official(path)
    assert "\n" not in str(caught.value)


def test_a_cut_off_file_is_one_line(state: dict[str, Tensor], tmp_path: Path) -> None:
    for name, write in (("lia-x.pt", torch.save), ("old.pt", old_format), ("lia-x.safetensors", save_file)):
        write(state, tmp_path / "whole")
        (tmp_path / name).write_bytes((tmp_path / "whole").read_bytes()[:-5000])
        with pytest.raises(UserError, match=name) as caught:
            load_official(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("content", "text"), [
    ({}, "holds 0 LIA-X state dicts"),
    (torch.zeros(3), "holds 0 LIA-X state dicts"),
    ([1, 2], "holds 0 LIA-X state dicts"),
    ({"gen": {"x": torch.zeros(1)}, "dis": {"x": torch.zeros(1)}}, "holds 0 LIA-X state dicts"),
    ({part: {"dec.direction.weight": torch.zeros(1)} for part in ("gen", "ema")}, "holds 2 LIA-X state dicts"),
    ({"x": torch.zeros(1)}, "not an official LIA-X state dict"),
])  # fmt: skip
def test_other_content_is_refused(tmp_path: Path, content: object, text: str) -> None:
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(UserError, match=text) as caught:
        load_official(tmp_path / "other.pt")
    assert "other.pt" in str(caught.value)


def test_wrong_entries_are_listed(state: dict[str, Tensor], tmp_path: Path) -> None:
    wrong = state | {"dec.rgb2.bias": torch.zeros(1, 4, 1, 1), "dec.extra": torch.zeros(1)}
    del wrong["enc.enc_r2t.0.bias"]
    torch.save(wrong, tmp_path / "wrong.pt")
    with pytest.raises(UserError) as caught:
        load_official(tmp_path / "wrong.pt", "s3://bucket/wrong.pt")
    message = str(caught.value)
    assert "s3://bucket/wrong.pt" in message
    assert "dec.rgb2.bias has shape [1, 4, 1, 1] instead of [1, 3, 1, 1]" in message
    assert "dec.extra is unexpected" in message
    assert "enc.enc_r2t.0.bias is missing" in message


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        load_official(tmp_path / "absent.pt")
