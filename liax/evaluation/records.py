"""An evaluation's files, and the completion record of each trial, by which it is resumed and from which all is made.

work/done/ID.json      a trial's numbers, or why it has none; written last
work/features/ID.npz   its Inception features, where FID is measured
work/started/ID.N      see `attempts`
clips.parquet, table.md, summary.json, self.png, cross.png, clips/*.mp4
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from liax import storage
from liax.config import Config, build
from liax.evaluation.config import EvaluateConfig
from liax.evaluation.definitions import Protocol, definitions_id
from liax.evaluation.subject import Subject
from liax.evaluation.trials import Trial


class TrialRecord(Config):
    """What became of a trial."""

    protocol: Protocol
    source: str
    """Id of the clip."""
    driving: str
    """Id of the clip."""
    source_name: str
    driving_name: str
    video_sha256: str
    """The driving clip's source video."""
    frames: int = 0
    values: dict[str, dict[str, float]] = Field(default_factory=dict)
    """By contestant and measure."""
    missing: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Why a measure has no value, by contestant and measure."""
    reason: str = ""
    """Why there are no numbers at all, in one word; empty where there are."""
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Work:
    """What every worker is told. Small, so that it can be sent to all.

    Args:
        url: the output, absolute.
        subject: the model.
        config: what is done.
        networks: names of the networks behind the measures: with others there, a trial is measured again.
    """

    url: str
    subject: Subject
    config: EvaluateConfig
    networks: tuple[tuple[str, str], ...]

    def file(self, *parts: str) -> str:
        """A file of the output."""
        return storage.join(self.url, *parts)

    def trial_id(self, trial: Trial) -> str:
        """Names a trial by all that decides its numbers."""
        decisive = {
            "model": self.subject.sha256,
            "definitions": definitions_id(),
            "networks": self.networks,
            "settings": self.config.measuring(trial.protocol),
            "protocol": trial.protocol,
            "source": trial.source.id,
            "driving": trial.driving.id,
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:24]

    def record(self, trial_id: str) -> str:
        """A trial's completion record."""
        return self.file("work", "done", f"{trial_id}.json")

    def features(self, trial_id: str) -> str:
        """A trial's Inception features."""
        return self.file("work", "features", f"{trial_id}.npz")


def finished(work: Work) -> set[str]:
    """Ids of the trials that have a record."""
    return {url.rsplit("/", 1)[-1].removesuffix(".json") for url in storage.list_if_there(work.file("work", "done"))}


def load_records(work: Work, trial_ids: Sequence[str]) -> list[TrialRecord]:
    """The records of trials, in their order."""
    urls = [work.record(trial_id) for trial_id in trial_ids]
    return [build(TrialRecord, json.loads(data), url) for url, data in zip(urls, storage.read_many(urls), strict=True)]


def write_record(
    work: Work, trial_id: str, record: TrialRecord, features: Mapping[str, NDArray[np.float32]] | None = None
) -> None:
    """Write a trial's record, after its features."""
    if features:
        buffer = io.BytesIO()
        np.savez(buffer, **features)  # type: ignore[arg-type]
        storage.write_bytes(work.features(trial_id), buffer.getvalue())
    storage.write_bytes(work.record(trial_id), record.model_dump_json().encode())


def load_features(work: Work, trial_id: str) -> dict[str, NDArray[np.float32]]:
    """A trial's features; none where there is no file. Never unpickles."""
    url = work.features(trial_id)
    if not storage.exists(url):
        return {}
    with np.load(io.BytesIO(storage.read_bytes(url)), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
