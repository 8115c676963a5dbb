"""`<output>/tracking.json`: what MLflow is to be told of a training beside its records.

The starter of a training writes it, so that the records can be shipped by another process, later, or from elsewhere,
without the training's configuration, shards or code.
"""

import json
import socket
import uuid
from pathlib import PurePosixPath
from typing import Literal

from pydantic import Field

from liax import storage
from liax.config import Config, build, to_yaml
from liax.errors import UserError
from liax.tracking.client import flatten, git_commit
from liax.training.config import TrainConfig

_FILE, _SETTINGS_FILE = "tracking.json", "train.yaml"

Ending = Literal["FINISHED", "FAILED"]


class TrackingNote(Config):
    """What `tracking.json` holds."""

    training_id: str
    """Drawn once for an output. Not from its configuration: an output that was removed and trained again is another
    training, whose points MLflow does not have."""
    name: str
    """Of the MLflow run, for people."""
    experiment: str
    """Name of the experiment."""
    uri: str | None
    """Where the training wanted its numbers shipped to; None for nowhere."""
    parameters: dict[str, str]
    """The resolved configuration under dotted names."""
    tags: dict[str, str]
    """What else to note."""
    files: list[tuple[str, str]]
    """Files to keep with the run, where they are there, and the folders that they go to."""
    ended: Ending | None = Field(default=None)
    """How the training ended; None while it has not, or if nobody could say."""


def write_note(config: TrainConfig, set_id: str, uri: str | None, *, going_on: bool) -> TrackingNote:
    """Write the note, and the resolved configuration beside it.

    Args:
        config: of the training.
        set_id: of its shards.
        uri: MLflow's address; None for no tracking.
        going_on: whether there are steps left to do; else a note that is there stays as it is.
    """
    known = _read(config.output)
    if known is not None and not going_on:
        return known
    note = TrackingNote(
        training_id=known.training_id if known is not None else uuid.uuid4().hex,
        name=PurePosixPath(config.output).name,
        experiment=config.tracking.experiment,
        uri=uri,
        parameters={name: str(value) for name, value in flatten(config.model_dump(mode="json")).items()},
        tags={
            "set_id": set_id,
            "output": config.output,
            "preset": config.model.preset,
            "hostname": socket.gethostname(),
            "layout": _layout(config),
            **git_commit(),
        },
        files=[
            (storage.join(config.output, _SETTINGS_FILE), ""),
            (storage.join(config.shards, "report.html"), "data"),
            (storage.join(config.shards, "summary.json"), "data"),
        ],
    )
    storage.write_bytes(storage.join(config.output, _SETTINGS_FILE), to_yaml(config).encode())
    _write(config.output, note)
    return note


def note_ending(output: str, ended: Ending) -> None:
    """Add how the training ended."""
    note = read_note(output)
    if note.ended != ended:
        _write(output, note.model_copy(update={"ended": ended}))


def read_note(output: str) -> TrackingNote:
    """The note of a training. Raises UserError if there is none."""
    note = _read(output)
    if note is None:
        raise UserError(f"{output} is not a training's output: there is no {_FILE} in it")
    return note


def _read(output: str) -> TrackingNote | None:
    url = storage.join(output, _FILE)
    return build(TrackingNote, json.loads(storage.read_bytes(url)), url) if storage.exists(url) else None


def _write(output: str, note: TrackingNote) -> None:
    storage.write_bytes(storage.join(output, _FILE), note.model_dump_json(indent=1).encode())


def _layout(config: TrainConfig) -> str:
    """Who computes, in words."""
    sharing = f" stage {config.zero_stage}" if config.zero_stage is not None else ""
    return f"{config.workers} × {config.device} on {config.run_on}, {config.engine}{sharing}"
