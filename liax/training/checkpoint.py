"""Checkpoints: safetensors and two text files in `<output>/checkpoints/<step>/`.

`model.safetensors` and `config.json` are the averaged generator, so that the folder itself loads as a model.
`state.json` lists every file with its hash and is written last: a folder without one is no checkpoint.
`checkpoints/latest` names the newest; where that one is not complete any more, the newest complete one counts. No
random state is kept because training draws no random numbers: the order of the data is a function of the step.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from safetensors.torch import load, save
from torch import Tensor

from liax import storage
from liax.config import Config, build, to_yaml
from liax.errors import UserError
from liax.model.weights import CONFIG_FILE, WEIGHTS_FILE, save_model
from liax.training.config import TrainConfig
from liax.training.ema import Ema
from liax.training.engine import Trained
from liax.training.place import Place

STATE_FILE = "state.json"
TRAIN_FILE = "train.yaml"


class CheckpointState(Config):
    """What a checkpoint is; see the head of the file."""

    step: int
    """Steps done; the next batch starts at pair `step * batch`."""
    identity: str
    """`TrainConfig.identity` of the run."""
    files: dict[str, str]
    """SHA-256 by file name."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint and where it is."""

    url: str
    state: CheckpointState

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of `<name>.safetensors`. Raises UserError if the file is not the one that was written."""
        file = f"{name}.safetensors"
        data = storage.read_bytes(storage.join(self.url, file))
        if hashlib.sha256(data).hexdigest() != self.state.files[file]:
            raise UserError(
                f"{self.url}/{file} was changed or damaged since it was written: "
                f"remove {self.url}, and training continues at the checkpoint before it"
            )
        return load(data)


@dataclass(slots=True)
class Networks:
    """Everything that training changes. The average is kept by the leading worker alone."""

    generator: Trained
    discriminator: Trained
    ema: Ema | None


def save_checkpoint(networks: Networks, step: int, identity: str, config: TrainConfig, place: Place) -> None:
    """Write a checkpoint. Every worker calls it; the leading one writes."""
    files = {f"optimizer_{name}": trained.optimizer_state() for name, trained in _trained(networks)}
    if networks.ema is None:
        place.wait()
        return
    files |= {name: trained.module.state_dict() for name, trained in _trained(networks)}
    folder = storage.join(config.output, "checkpoints", f"{step:08d}")
    for name, tensors in files.items():
        storage.write_bytes(storage.join(folder, f"{name}.safetensors"), save(_plain(tensors)))
    save_model(networks.ema.model, folder)
    storage.write_bytes(storage.join(folder, TRAIN_FILE), to_yaml(config).encode())
    names = [*(f"{name}.safetensors" for name in files), WEIGHTS_FILE, CONFIG_FILE, TRAIN_FILE]
    state = CheckpointState(step=step, identity=identity, files={n: _sha256(storage.join(folder, n)) for n in names})
    storage.write_bytes(storage.join(folder, STATE_FILE), state.model_dump_json(indent=1).encode())
    storage.write_bytes(_latest_url(config.output), f"{step:08d}\n".encode())
    _remove_old(config.output, config.checkpoint.keep)
    place.wait()


def restore(networks: Networks, checkpoint: Checkpoint) -> None:
    """Continue from a checkpoint."""
    for name, trained in _trained(networks):
        trained.load(checkpoint.tensors(name), checkpoint.tensors(f"optimizer_{name}"))
    if networks.ema is not None:
        networks.ema.load(checkpoint.tensors("model"))


def latest_checkpoint(output: str) -> Checkpoint | None:
    """The newest complete checkpoint under a run's output, if there is one."""
    if not storage.exists(_latest_url(output)):
        return None
    named = storage.join(output, "checkpoints", storage.read_bytes(_latest_url(output)).decode().strip())
    if storage.exists(storage.join(named, STATE_FILE)):
        return open_checkpoint(named)
    complete = _complete(output)
    return open_checkpoint(complete[-1]) if complete else None


def open_checkpoint(url: str) -> Checkpoint:
    """The checkpoint in a folder, or the latest one of a run's output folder. Raises UserError if there is neither."""
    state_url = storage.join(url, STATE_FILE)
    if not storage.exists(state_url):
        latest = latest_checkpoint(url)
        if latest is None:
            raise UserError(f"no complete checkpoint in {url}: name a folder like <output>/checkpoints/00000150")
        return latest
    try:
        values = json.loads(storage.read_bytes(state_url))
    except ValueError as error:
        raise UserError(f"{state_url} is not JSON ({error}): remove {url}") from None
    return Checkpoint(url.rstrip("/"), build(CheckpointState, values, state_url))


def _trained(networks: Networks) -> list[tuple[str, Trained]]:
    return [("generator", networks.generator), ("discriminator", networks.discriminator)]


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _sha256(url: str) -> str:
    return hashlib.sha256(storage.read_bytes(url)).hexdigest()


def _latest_url(output: str) -> str:
    return storage.join(output, "checkpoints", "latest")


def _complete(output: str) -> list[str]:
    """The folders of complete checkpoints, oldest first."""
    found = storage.list_files(storage.join(output, "checkpoints"), [".json"])
    return sorted(name.removesuffix(f"/{STATE_FILE}") for name in found if name.endswith(f"/{STATE_FILE}"))


def _remove_old(output: str, keep: int) -> None:
    for folder in _complete(output)[:-keep]:
        storage.remove(storage.join(folder, STATE_FILE))  # first: without it the rest is no checkpoint
        for file in storage.list_files(folder):
            storage.remove(file)
        if not storage.is_s3(folder):
            shutil.rmtree(folder)
