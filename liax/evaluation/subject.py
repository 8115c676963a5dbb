"""The model that is measured: which it is, by its bytes, and what is known of the people that it was trained on."""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from liax import storage
from liax.config import Config, build
from liax.errors import JobError, UserError
from liax.evaluation.clips import Clip, ClipSet, clips_in
from liax.evaluation.data_config import DataConfig
from liax.inference.loading import REGISTERED
from liax.model.config import ModelConfig
from liax.model.official_file import SUFFIXES, load_official
from liax.model.weights import CONFIG_FILE, WEIGHTS_FILE
from liax.shards import ShardSet
from liax.tracking.address import without_password
from liax.training.checkpoint import STATE_FILE, TRAIN_FILE, open_checkpoint
from liax.training.run_record import read_run


class Subject(Config):
    """A model, so named that every worker loads the same."""

    given: str
    """As the user named it."""
    url: str
    """A folder, a released file, or a registered model by its version: an alias may move meanwhile."""
    sha256: str
    """Of the weights."""
    size_px: int
    """Side of its pictures."""
    set_id: str | None = None
    """Of the shard set that it was trained on, where known."""
    training_shards: str | None = None
    """Where that set was when it was trained, where known."""
    tracking_uri: str | None = None
    """MLflow's address, for a registered model."""
    is_checkpoint: bool = False
    """Whether it is a training's checkpoint, which can be registered."""

    def shown(self) -> dict[str, Any]:
        """For a file of results: without MLflow's password."""
        uri = None if self.tracking_uri is None else without_password(self.tracking_uri)
        return self.model_copy(update={"tracking_uri": uri}).model_dump(mode="json")


def find_subject(model: str, tracking_uri: str | None) -> Subject:
    """What a user's name for a model means.

    Raises:
        UserError: there is no such model, or its files were changed.
    """
    if model.startswith(REGISTERED):
        return _registered(model, tracking_uri)
    url = model.rstrip("/") if storage.is_s3(model) else str(Path(model).absolute())
    if model.lower().endswith(SUFFIXES):
        with storage.local_copy(url) as path:
            return Subject(
                given=model, url=url, sha256=_file_sha256(path), size_px=load_official(path, model).config.size_px
            )
    is_folder = storage.exists(storage.join(url, CONFIG_FILE))
    if is_folder and not storage.exists(storage.join(url, STATE_FILE)):
        return Subject(given=model, url=url, sha256=_weights_sha256(url), size_px=_size_px(url))
    return _checkpoint(model, url)


def _checkpoint(model: str, url: str) -> Subject:
    try:
        checkpoint = open_checkpoint(url)
    except UserError as error:
        raise UserError(
            f"no model in {model}: give a folder with {WEIGHTS_FILE} and {CONFIG_FILE}, a checkpoint, a training's "
            f"output, a released {' or '.join(SUFFIXES)} file, or models:/NAME@ALIAS ({error})"
        ) from None
    expected = checkpoint.state.files.get(WEIGHTS_FILE)
    if expected is None or not storage.exists(storage.join(checkpoint.url, WEIGHTS_FILE)):
        raise UserError(f"the checkpoint {checkpoint.url} has no averaged weights, {WEIGHTS_FILE}: choose another")
    found = _weights_sha256(checkpoint.url)
    if found != expected:
        raise UserError(f"{checkpoint.url}/{WEIGHTS_FILE} was changed or damaged since it was written: choose another")
    run = read_run(checkpoint.url.rsplit("/", 2)[0])
    settings = yaml.safe_load(storage.read_bytes(storage.join(checkpoint.url, TRAIN_FILE)))
    return Subject(
        given=model,
        url=checkpoint.url,
        sha256=found,
        size_px=_size_px(checkpoint.url),
        set_id=run.set_id if run else None,
        training_shards=settings.get("shards"),
        is_checkpoint=True,
    )


def _registered(model: str, tracking_uri: str | None) -> Subject:
    from liax.registry.names import HASH_TAG, parse_uri
    from liax.registry.pull import find_version, pull
    from liax.tracking.address import tracking_uri as resolve_uri
    from liax.tracking.client import connect

    where = resolve_uri(tracking_uri)
    name, number = parse_uri(model).name, find_version(model, where)
    tags = connect(where).get_model_version(name, number).tags
    url = f"{REGISTERED}{name}/{number}"
    if f"{HASH_TAG}{WEIGHTS_FILE}" not in tags:
        raise JobError(f"{model} was not registered by `liax register`: it has no hash of {WEIGHTS_FILE}")
    size_px = int(tags["size_px"]) if tags.get("size_px", "").isdigit() else None
    if size_px is None:  # registered by an older version
        with tempfile.TemporaryDirectory(prefix="liax-") as folder:
            size_px = _size_px(str(pull(url, folder, where)))
    set_id = tags.get("set_id")
    return Subject(
        given=model,
        url=url,
        sha256=tags[f"{HASH_TAG}{WEIGHTS_FILE}"],
        size_px=size_px,
        set_id=None if set_id == "unknown" else set_id,
        training_shards=tags.get("shards"),
        tracking_uri=where,
    )


def check_people(subject: Subject, config: DataConfig, clips: ClipSet) -> str:
    """Compare the clips' people with those that the model was trained on.

    Returns:
        What was compared and found, a sentence for the results.

    Raises:
        UserError: some are the same, or that cannot be known for a training split, unless allowed.
    """
    training = _training_clips(subject, config, clips)
    if training is None:
        if config.shards is not None and config.split == "train" and not config.allow_training_people:
            raise UserError(
                f"{config.shards} split=train may be what {subject.given} was trained on: "
                "choose split=val, give training_shards=, or allow_training_people=true"
            )
        return "not known: the model does not say who it was trained on, or its shards are not there"
    shared = _shared(clips.clips, training, same_set=_same_set(subject, clips))
    if not shared:
        return "none of these people or videos is among those that the model was trained on"
    told = f"{len(shared)} of {len(clips.clips)} clips, {shared[0].name} for one, show people the model was trained on"
    if not config.allow_training_people:
        raise UserError(f"{told}: choose other clips, or allow_training_people=true")
    return told


def _training_clips(subject: Subject, config: DataConfig, clips: ClipSet) -> list[Clip] | None:
    """What the model was trained on; None where that is not known."""
    if _same_set(subject, clips):
        return clips.training
    if config.training_shards is not None:
        return clips_in(ShardSet(config.training_shards), "train")
    if subject.training_shards is None:
        return None
    try:
        shards = ShardSet(subject.training_shards)
    except UserError:  # moved, or on another machine
        return None
    return clips_in(shards, "train") if subject.set_id in (None, shards.set_id) else None


def _same_set(subject: Subject, clips: ClipSet) -> bool:
    return subject.set_id is not None and subject.set_id == clips.set_id


def _shared(clips: Sequence[Clip], training: Sequence[Clip], *, same_set: bool) -> list[Clip]:
    """Clips of people that are among the training's.

    In one set a person has one name, and a video may show two people. Another set may have given the same person
    another name, so there a common video counts too.
    """
    people, videos = {clip.person for clip in training}, {clip.video_sha256 for clip in training}
    return [clip for clip in clips if clip.person in people or (not same_set and clip.video_sha256 in videos)]


def _size_px(folder: str) -> int:
    url = storage.join(folder, CONFIG_FILE)
    try:
        return build(ModelConfig, json.loads(storage.read_bytes(url)), url).size_px
    except ValueError as error:
        raise UserError(f"{url} is not JSON ({error}); save the model again") from None


def _weights_sha256(folder: str) -> str:
    with storage.local_copy(storage.join(folder, WEIGHTS_FILE)) as path:
        return _file_sha256(path)


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
