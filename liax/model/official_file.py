"""The released checkpoint as a file, `.pt` or `.safetensors`: read without running any code that it may hold."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from liax.errors import UserError
from liax.model.network import LiaX
from liax.model.official import from_official

SUFFIXES = (".pt", ".pth", ".safetensors")
DICTIONARY = "dec.direction.weight"
"""The entry that tells the generator from the other networks of a training."""


def load_official(path: str | Path, name: str | None = None) -> LiaX:
    """The network, in eval mode, float32, of an official state dict of any width.

    Args:
        path: a local file: a state dict itself, or a dict that holds one under one of its keys.
        name: what errors call the file; None for its path.

    Raises:
        UserError: there is no such file, it holds anything but tensors in plain containers, or entries are wrong.
    """
    path, name = Path(path), name or str(path)
    if not path.is_file():
        raise UserError(f"no such file: {name}")
    state = _state_dict(_read(path, name), name)
    try:
        return from_official(state)
    except UserError as error:
        raise UserError(f"{name}: {error}") from None


def _read(path: Path, name: str) -> Any:
    """The file's content. A pickle may call any function, so only what `weights_only` allows is ever read."""
    if path.suffix.lower() == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise UserError(f"{name} is not a safetensors file ({error}): download it again") from None
    try:
        try:
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # the format before PyTorch 1.6 cannot be mapped; a damaged file fails again below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{name} holds other things than tensors, or is no checkpoint, and was not opened, because that could run "
            "foreign code: give the released state dict, or save it as .safetensors"
        ) from None
    except (RuntimeError, EOFError, ValueError, KeyError, OSError, AttributeError, TypeError, IndexError):
        raise UserError(f"{name} is damaged or is no PyTorch checkpoint: download it again") from None


def _state_dict(content: Any, name: str) -> dict[str, Tensor]:
    """The one dict of tensors in the content; of several, as a training keeps them, the one with a dictionary."""
    found = [value for value in [content, *_values(content)] if _is_state_dict(value)]
    if len(found) > 1:
        found = [value for value in found if DICTIONARY in value]
    if len(found) != 1:
        raise UserError(f"{name} holds {len(found)} LIA-X state dicts: give the released file, or one that holds one")
    return dict(found[0])


def _values(content: Any) -> list[Any]:
    return list(content.values()) if isinstance(content, Mapping) else []


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(entry, Tensor) for entry in value.values())
