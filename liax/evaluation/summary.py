"""What the records say together. Shapes: N clips, F frames with features."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liax.config import Config
from liax.evaluation.definitions import BY_NAME, CONTESTANTS, Metric, Protocol, as_records, definitions_id, of_protocol
from liax.evaluation.measuring import FEATURES
from liax.evaluation.networks import frechet_distance
from liax.evaluation.records import TrialRecord, Work, load_features
from liax.evaluation.statistics import interval

FORMAT = 1
"""Of `summary.json`; raised when a reader would have to change."""


class Estimate(Config):
    """A mean over clips and its 95 % interval; no interval where there is one value for all clips together."""

    mean: float
    low: float | None
    high: float | None
    clips: int
    videos: int
    """That those clips were cut from."""

    def text(self, sign: str = "") -> str:
        """For a table."""
        shown = f"{self.mean:{sign}.4f}"
        if self.low is None or self.high is None:
            return shown
        between = " to " if sign else "–"
        return f"{shown} ({self.low:{sign}.4f}{between}{self.high:{sign}.4f})"


class ProtocolResults(Config):
    """Of one protocol."""

    clips: int
    """That were measured."""
    videos: int
    """That those clips were cut from."""
    frames: int
    contestants: dict[str, dict[str, Estimate]]
    """By contestant and measure."""
    gain: dict[str, Estimate]
    """How much better the model is than the copied source, clip by clip: above 0 is better in every measure."""
    unavailable: dict[str, str]
    """Why a measure has no value on any clip."""
    left_out: dict[str, int]
    """Clips without numbers, by reason."""


class Summary(Config):
    """What an evaluation found. All of it is made from the records."""

    format: int
    definitions_id: str
    definitions: list[dict[str, Any]]
    model: dict[str, Any]
    data: dict[str, Any]
    people: str
    """What is known of people that the model was trained on."""
    networks: dict[str, str]
    """Names of the networks behind measures."""
    settings: dict[str, Any]
    results: dict[Protocol, ProtocolResults]

    def numbers(self) -> dict[str, float]:
        """Flat, for MLflow."""
        return dict(self._numbers())

    def _numbers(self) -> Iterator[tuple[str, float]]:
        for protocol, found in self.results.items():
            rows = {**found.contestants, "gain": found.gain}
            for row, estimates in rows.items():
                for metric, estimate in estimates.items():
                    yield f"{protocol}/{row}/{metric}", estimate.mean
                    if estimate.low is not None and estimate.high is not None:
                        yield f"{protocol}/{row}/{metric}_low", estimate.low
                        yield f"{protocol}/{row}/{metric}_high", estimate.high
            yield f"{protocol}/clips", found.clips
            yield f"{protocol}/left_out", sum(found.left_out.values())


def summarise(
    work: Work,
    records: Mapping[str, TrialRecord],
    data: Mapping[str, Any],
    people: str,
    unavailable: Mapping[str, str],
) -> Summary:
    """Put the records together.

    Args:
        records: by trial id.
        data: what names the clips.
        people: see `Summary.people`.
        unavailable: why measures have no network.
    """
    results: dict[Protocol, ProtocolResults] = {}
    for protocol, group in groupby(records.items(), key=lambda item: item[1].protocol):
        results[protocol] = _protocol(work, protocol, dict(group), unavailable)
    return Summary(
        format=FORMAT,
        definitions_id=definitions_id(),
        definitions=as_records(),
        model=work.subject.shown(),
        data=dict(data),
        people=people,
        networks=dict(work.networks),
        settings={protocol: work.config.measuring(protocol) for protocol in results},
        results=results,
    )


def _protocol(
    work: Work, protocol: Protocol, records: Mapping[str, TrialRecord], unavailable: Mapping[str, str]
) -> ProtocolResults:
    usable = {trial_id: record for trial_id, record in records.items() if not record.reason}
    contestants: dict[str, dict[str, Estimate]] = {name: {} for name in CONTESTANTS}
    gain: dict[str, Estimate] = {}
    missing: dict[str, str] = {}
    for metric in of_protocol(protocol):
        if metric.whole_run:
            found = _frechet(work, usable)
        else:
            found = {name: estimate(list(usable.values()), metric, name) for name in CONTESTANTS}
        for name, value in found.items():
            if value is not None:
                contestants[name][metric.name] = value
        better = gain_of(list(usable.values()), metric)
        if better is not None:
            gain[metric.name] = better
        if found["model"] is None:
            missing[metric.name] = unavailable.get(metric.name) or _why(usable.values(), metric)
    return ProtocolResults(
        clips=len(usable),
        videos=len({record.video_sha256 for record in usable.values()}),
        frames=sum(record.frames for record in usable.values()),
        contestants=contestants,
        gain=gain,
        unavailable=missing,
        left_out=dict(Counter(record.reason for record in records.values() if record.reason)),
    )


def estimate(records: Sequence[TrialRecord], metric: Metric, contestant: str) -> Estimate | None:
    """A contestant's mean over the clips that have a value; None where none has."""
    found = [
        (record.values[contestant][metric.name], record.video_sha256)
        for record in records
        if metric.name in record.values.get(contestant, {})
    ]
    return _estimate(found)


def gain_of(records: Sequence[TrialRecord], metric: Metric) -> Estimate | None:
    """How much better the model is than the copied source on the clips on which both have a value."""
    sign = 1 if metric.better == "higher" else -1
    found = []
    for record in records:
        model, copy = (record.values.get(name, {}).get(metric.name) for name in CONTESTANTS)
        if model is not None and copy is not None:
            found.append((sign * (model - copy), record.video_sha256))
    return _estimate(found)


def compare(
    better: Sequence[TrialRecord], than: Sequence[TrialRecord], metric: str, protocol: Protocol = "self"
) -> Estimate | None:
    """How much better one model is than another on the trials that both were measured on: above 0 is better.

    Args:
        better, than: the records of each model's evaluation, see `liax.evaluation.run.Evaluation`.
        metric: name of a measure that clips have values of.

    Returns:
        None where there is no common trial with a value.
    """
    sign = 1 if BY_NAME[metric].better == "higher" else -1
    others = {(record.source, record.driving): record for record in than if record.protocol == protocol}
    found = []
    for record in better:
        other = others.get((record.source, record.driving))
        if record.protocol != protocol or other is None:
            continue
        ours, theirs = (one.values.get("model", {}).get(metric) for one in (record, other))
        if ours is not None and theirs is not None:
            found.append((sign * (ours - theirs), record.video_sha256))
    return _estimate(found)


def _estimate(found: Sequence[tuple[float, str]]) -> Estimate | None:
    if not found:
        return None
    values_N = np.array([value for value, _ in found])
    videos = [video for _, video in found]
    low, high = interval(values_N, videos)
    return Estimate(mean=float(values_N.mean()), low=low, high=high, clips=len(found), videos=len(set(videos)))


def _frechet(work: Work, records: Mapping[str, TrialRecord]) -> dict[str, Estimate | None]:
    """FID of each contestant, where there are features of two frames."""
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in FEATURES}
    videos: list[str] = []
    for trial_id, record in records.items():
        features = load_features(work, trial_id) if "fid" in dict(work.networks) else {}
        videos += [record.video_sha256] if features else []
        for name in features:
            parts[name].append(features[name])
    if sum(len(part_F) for part_F in parts["driving"]) < 2:
        return dict.fromkeys(CONTESTANTS)
    whole = {name: np.concatenate(part) for name, part in parts.items()}
    return {
        name: Estimate(
            mean=frechet_distance(whole["driving"], whole[name]),
            low=None,
            high=None,
            clips=len(videos),
            videos=len(set(videos)),
        )
        for name in CONTESTANTS
    }


def _why(records: Any, metric: Metric) -> str:
    """The most frequent reason for which clips have no value."""
    reasons = Counter(record.missing.get("model", {}).get(metric.name, "") for record in records)
    reasons.pop("", None)
    return reasons.most_common(1)[0][0] if reasons else "no clip was measured"
