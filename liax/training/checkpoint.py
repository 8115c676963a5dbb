"""Checkpoints as they are read: safetensors and a few text files in `<output>/checkpoints/<step>/`.

`model.safetensors` and `config.json` are the averaged generator, so that the folder itself loads as a model.
`state.json` lists every file with its size and hash and is written last: a folder without one is no checkpoint.
`checkpoints/latest` names the newest and `checkpoints/best` the one with the best validation; where a named one is
not complete any more, another that is takes its place. Nothing is ever unpickled. See `checkpoint_writer`.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from liax import storage
from liax.config import Config
from liax.errors import NoFileError, UserError
from liax.model.weights import WEIGHTS_FILE, check_shapes
from liax.progress import say
from liax.training.checkpoint_fit import check_layout, check_tensors, shapes_of
from liax.training.ema import Ema
from liax.training.engine import Trained
from liax.training.random_state import set_random_state

STATE_FILE = "state.json"
TRAIN_FILE = "train.yaml"
LATEST, BEST = "latest", "best"
"""Text files in `checkpoints/`, each with the name of a checkpoint's folder."""
STEP_DIGITS = 8
"""Of a folder's name, at least."""


class CheckpointState(Config):
    """What a checkpoint is; see the head of the file."""

    step: int
    """Steps done."""
    pairs: int
    """Position of the next pair in the order of the data, the same for any number of workers."""
    updates: dict[str, int]
    """Of each network's optimiser, R1's among the discriminator's."""
    skipped: int
    """Steps that were left out because they were not finite."""
    score: float | None
    """The validation's, lower is better; None if there was none at this step."""
    identity: str
    """`TrainConfig.identity` of the run."""
    versions: dict[str, str]
    """Of the software that wrote it. For information only."""
    files: dict[str, str]
    """SHA-256 by file name."""
    sizes_bytes: dict[str, int]
    """Size by file name."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint and where it is."""

    url: str
    state: CheckpointState
    instead_of: str | None = None
    """The one that should have been it but is not complete."""

    def tensors(self, name: str) -> dict[str, Tensor]:
        """The tensors of `<name>.safetensors`, which are read from the disk as they are used.

        Raises:
            UserError: the file is not the one that was written.
        """
        file = f"{name}.safetensors"
        with storage.local_copy(storage.join(self.url, file)) as local:
            with local.open("rb") as data:
                found = hashlib.file_digest(data, "sha256").hexdigest()
            if found == self.state.files.get(file):
                try:
                    return load_file(local)
                except SafetensorError as error:
                    raise UserError(f"{self.url}/{file} is not a safetensors file: {error}") from None
        raise UserError(
            f"{self.url}/{file} was changed or damaged since it was written: "
            f"remove {self.url}, and training continues at the checkpoint before it"
        )


@dataclass(slots=True)
class Networks:
    """Everything that training changes. The average is kept by the leading worker alone."""

    generator: Trained
    discriminator: Trained
    ema: Ema | None

    def trained(self) -> dict[str, Trained]:
        """Both networks by the names of their files."""
        return {"generator": self.generator, "discriminator": self.discriminator}


def restore(networks: Networks, checkpoint: Checkpoint, rank: int = 0) -> None:
    """Continue from a checkpoint. One network's tensors are held at a time.

    Args:
        networks: before their first update.
        checkpoint: by any number of workers and any engine.
        rank: of this worker, whose random state is put back; a worker that was not there keeps its own.

    Raises:
        UserError: the checkpoint is damaged, or of other networks.
    """
    if networks.ema is not None and checkpoint.instead_of is not None:
        say(f"{checkpoint.instead_of} is not complete: training continues at {checkpoint.url}")
    check_layout(networks.generator.module, checkpoint.url)
    for name, trained in networks.trained().items():
        weights, optimizer_state = checkpoint.tensors(name), checkpoint.tensors(f"optimizer_{name}")
        check_tensors(trained.module, weights, optimizer_state, checkpoint.url, name)
        trained.load(weights, optimizer_state)
    if networks.ema is not None:
        weights = checkpoint.tensors("model")
        check_shapes(shapes_of(networks.ema.model), weights, f"{checkpoint.url}/{WEIGHTS_FILE}")
        networks.ema.load(weights)
    states = checkpoint.tensors("random")
    own = {name.partition(".")[2]: state for name, state in states.items() if name.startswith(f"{rank}.")}
    if own:
        set_random_state(own, next(networks.generator.module.parameters()).device)


def latest_checkpoint(output: str) -> Checkpoint | None:
    """The checkpoint that `latest` names; where it is not complete the newest that is; None if there is none."""
    named = _named(output, LATEST)
    found = None if named is None else complete(named)
    if found is None:
        for step in reversed(checkpoint_files(output)):
            found = complete(folder_of(output, step))
            if found is not None:
                return replace(found, instead_of=named)
    return found


def best_checkpoint(output: str) -> Checkpoint | None:
    """The checkpoint with the best validation; the latest where none has one; None if there is none."""
    named = _named(output, BEST)
    found = None if named is None else complete(named)
    if found is None:
        best = best_step({step: state.score for step, state in read_states(output).items()})
        found = None if best is None else complete(folder_of(output, best))
    return latest_checkpoint(output) if found is None else found


def open_checkpoint(url: str) -> Checkpoint:
    """The checkpoint that a name means.

    Args:
        url: a checkpoint's folder; a run's output folder, whose latest is meant; or
            `<output>/checkpoints/latest` or `…/best`.

    Raises:
        UserError: there is no complete checkpoint.
    """
    url = url.rstrip("/")
    pointer = PurePosixPath(url).name
    if pointer in (LATEST, BEST) and not storage.exists(storage.join(url, STATE_FILE)):
        output = url.rsplit("/", 2)[0]
        found = best_checkpoint(output) if pointer == BEST else latest_checkpoint(output)
    elif storage.exists(storage.join(url, STATE_FILE)):
        return _checkpoint(url)
    else:
        found = latest_checkpoint(url)
    if found is None:
        raise UserError(f"no complete checkpoint in {url}: name a folder like <output>/checkpoints/00000150")
    return found


def complete(url: str) -> Checkpoint | None:
    """The checkpoint in a folder, if all its files are there with their sizes; hashes are compared on reading."""
    if not storage.exists(storage.join(url, STATE_FILE)):
        return None
    try:
        state = _read_state(url)
    except ValidationError:  # half a file, of a machine that lost power
        return None
    whole = all(_has_size(storage.join(url, name), size_bytes) for name, size_bytes in state.sizes_bytes.items())
    return Checkpoint(url, state) if whole else None


def folder_of(output: str, step: int) -> str:
    """Where a run's checkpoint of a step is."""
    return storage.join(output, "checkpoints", folder_name(step))


def folder_name(step: int) -> str:
    """A checkpoint's own name among a run's."""
    return f"{step:0{STEP_DIGITS}d}"


def checkpoint_files(output: str) -> dict[int, list[str]]:
    """All files of a run's checkpoints, complete or not, by step in order."""
    found: dict[int, list[str]] = {}
    for name in storage.list_if_there(storage.join(output, "checkpoints")):
        folder = PurePosixPath(name).parent.name
        if re.fullmatch(rf"\d{{{STEP_DIGITS},}}", folder):
            found.setdefault(int(folder), []).append(name)
    return dict(sorted(found.items()))


def read_states(output: str) -> dict[int, CheckpointState]:
    """The states of a run's checkpoints by step; without those that cannot be read."""
    files = checkpoint_files(output)
    steps = [step for step, names in files.items() if any(PurePosixPath(name).name == STATE_FILE for name in names)]
    texts = storage.read_many([storage.join(folder_of(output, step), STATE_FILE) for step in steps])
    states = {}
    for step, text in zip(steps, texts, strict=True):
        try:
            states[step] = CheckpointState.model_validate_json(text)
        except ValidationError:
            continue
    return states


def best_step(scores: Mapping[int, float | None]) -> int | None:
    """The step with the lowest score, the earliest of equal ones; None where no step has one."""
    known = {step: score for step, score in scores.items() if score is not None}
    return min(sorted(known), key=lambda step: known[step], default=None)


def _checkpoint(url: str) -> Checkpoint:
    try:
        return Checkpoint(url, _read_state(url))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise UserError(
            f"{url}/{STATE_FILE} is damaged, or of another version of liax ({where}: {fault['msg']}): "
            "choose another checkpoint"
        ) from None


def _read_state(url: str) -> CheckpointState:
    return CheckpointState.model_validate_json(storage.read_bytes(storage.join(url, STATE_FILE)))


def _has_size(url: str, size_bytes: int) -> bool:
    try:
        return storage.size(url) == size_bytes
    except NoFileError:
        return False


def _named(output: str, pointer: str) -> str | None:
    """The folder that `latest` or `best` names, if there is such a file."""
    url = storage.join(output, "checkpoints", pointer)
    if not storage.exists(url):
        return None
    name = storage.read_bytes(url).decode(errors="replace").strip()
    return storage.join(output, "checkpoints", name) if name.isdigit() else None
