"""A network on disk: a folder (or s3:// prefix) with `model.safetensors` and `config.json`."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from liax import storage
from liax.config import build
from liax.errors import UserError
from liax.model.config import ModelConfig
from liax.model.network import LiaX

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
FAULTS_SHOWN = 20
"""Entries that an error lists by name: a wrong file would else fill the screen with hundreds."""


def save_model(model: LiaX, folder_url: str | Path) -> None:
    """Write the network's weights, as they are, and its configuration into a folder."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    storage.make_folder(str(folder_url))
    with tempfile.TemporaryDirectory() as scratch:
        local = Path(scratch, WEIGHTS_FILE)
        save_file(state, local, metadata={"format": "pt"})
        storage.upload(local, storage.join(str(folder_url), WEIGHTS_FILE))
    text = json.dumps(model.config.model_dump(mode="json"), indent=2) + "\n"
    storage.write_bytes(storage.join(str(folder_url), CONFIG_FILE), text.encode())


def load_model(
    folder_url: str | Path, device: str | torch.device = "cpu", check: Callable[[Path], None] | None = None
) -> LiaX:
    """The network that `save_model` wrote, in eval mode on `device`, float32.

    Args:
        check: is given the local file of the weights before they are read, and raises what is wrong with it.

    Raises UserError if a file is missing or unreadable, or if the two files do not belong together.
    """
    config = read_config(folder_url)
    weights_url = storage.join(str(folder_url), WEIGHTS_FILE)
    with storage.local_copy(weights_url) as local:
        if check is not None:
            check(local)
        try:
            state = load_file(local)
        except SafetensorError as error:
            raise UserError(f"{weights_url} is not a safetensors file ({error}); save the model again") from None
    return with_weights(config, state, weights_url).to(device)


def read_config(folder_url: str | Path) -> ModelConfig:
    """The configuration that `save_model` wrote. Raises UserError if it is not there, or is none."""
    config_url = storage.join(str(folder_url), CONFIG_FILE)
    try:
        values = json.loads(storage.read_bytes(config_url))
    except ValueError as error:
        raise UserError(f"{config_url} is not JSON ({error}); save the model again") from None
    return build(ModelConfig, values, config_url)


def with_weights(config: ModelConfig, state: Mapping[str, Tensor], where: str) -> LiaX:
    """A network in eval mode that owns a float32 copy of `state`, which was read from `where`.

    Raises UserError listing every entry that is missing, unexpected or of another shape than `config` asks for.
    """
    # Drawing a billion initial weights only to replace them would take as long as reading them.
    with torch.device("meta"):
        model = LiaX(config)
    check_shapes({name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}, state, where)
    own = {name: tensor.detach().to(torch.float32, copy=True) for name, tensor in state.items()}
    model.load_state_dict(own, assign=True)
    return model.eval()


def check_shapes(shapes: Mapping[str, tuple[int, ...]], state: Mapping[str, Tensor], where: str) -> None:
    """Raise UserError naming all entries in which `state`, read from `where`, differs from `shapes`."""
    faults = [f"{name} is missing" for name in shapes if name not in state]
    faults += [f"{name} is unexpected" for name in state if name not in shapes]
    faults += [
        f"{name} has shape {list(state[name].shape)} instead of {list(shape)}"
        for name, shape in shapes.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    refuse(where, faults)


def refuse(where: str, faults: Sequence[str]) -> None:
    """Raise UserError listing the faults that were found in a state dict read from `where`, if there are any."""
    if faults:
        shown = "; ".join(faults[:FAULTS_SHOWN])
        rest = f"; and {len(faults) - FAULTS_SHOWN} more" if len(faults) > FAULTS_SHOWN else ""
        raise UserError(f"{where} does not fit the model, {len(faults)} entries are wrong: {shown}{rest}")
