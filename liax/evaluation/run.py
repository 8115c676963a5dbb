"""The whole evaluation, in the order in which it happens: list, measure on Ray, put the records together, show.

What is done has its record, so a run that died anywhere is continued by starting it again. The tables, plots and the
summary are made from the records alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liax import ray_data, storage
from liax.errors import JobError, UserError
from liax.evaluation.attempts import forget_attempts
from liax.evaluation.charts import scatter_png
from liax.evaluation.clips import ClipSet, list_clips
from liax.evaluation.config import EvaluateConfig
from liax.evaluation.definitions import BY_NAME, Protocol, of_protocol
from liax.evaluation.networks import open_networks
from liax.evaluation.pool import through_pool
from liax.evaluation.records import TrialRecord, Work, finished, load_records
from liax.evaluation.stage import MeasureTrial, ShowTrial
from liax.evaluation.subject import check_people, find_subject
from liax.evaluation.summary import Summary, summarise
from liax.evaluation.tables import clips_parquet, markdown
from liax.evaluation.trials import Trial, list_trials
from liax.progress import Progress, say


@dataclass(frozen=True, slots=True)
class Prepared:
    """All that a wrong command line can get wrong has been looked at."""

    work: Work
    trials: dict[str, Trial]
    """By id."""
    clips: ClipSet
    people: str
    unavailable: dict[str, str]
    """Why measures have no network."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out.

    Args:
        summary: means, intervals, definitions.
        records: every trial's.
        files: the results, for MLflow.
    """

    summary: Summary
    records: list[TrialRecord]
    files: list[str]


def prepare(config: EvaluateConfig, tracking_uri: str | None = None) -> Prepared:
    """Find the model, the clips and the weights, before Ray starts.

    Args:
        tracking_uri: MLflow's address for a registered model.

    Raises:
        UserError: one of them is not there or does not fit, or the model was trained on these people.
    """
    for protocol in config.protocols:
        _check_shown_by(config.shown_by(protocol), protocol)
    subject = find_subject(config.model, tracking_uri)
    clips = list_clips(config, subject.size_px)
    people = check_people(subject, config, clips)
    networks = open_networks(config.networks, "cpu")
    url = config.output.rstrip("/") if storage.is_s3(config.output) else str(Path(config.output).absolute())
    work = Work(url, subject, config, tuple(sorted(networks.names.items())))
    trials = {work.trial_id(trial): trial for trial in list_trials(config, clips.clips)}
    return Prepared(work, trials, clips, people, networks.unavailable)


def evaluate(prepared: Prepared) -> Evaluation:
    """Measure what is not measured yet, and write the results. Ray must be running.

    Raises:
        JobError: a worker failed in a way that is no clip's fault, or no clip could be measured.
    """
    work = prepared.work
    ray_data.quiet()
    storage.make_folder(work.url)
    forget_attempts(work.url)
    _measure(prepared)
    forget_attempts(work.url)
    records = dict(zip(prepared.trials, load_records(work, list(prepared.trials)), strict=True))
    if all(record.reason for record in records.values()):
        first = next(iter(records.values()))
        raise JobError(f"no clip could be measured: {first.driving_name}: {first.reason} ({first.detail})")
    videos = _show(prepared, records)
    files, summary = _write(prepared, records)
    return Evaluation(summary, list(records.values()), [*files, *videos])


def _measure(prepared: Prepared) -> None:
    work, done = prepared.work, finished(prepared.work)
    items = [
        {"id": trial_id, "trial": trial.model_dump_json()}
        for trial_id, trial in prepared.trials.items()
        if trial_id not in done
    ]
    if len(items) < len(prepared.trials):
        say(f"{len(prepared.trials) - len(items)} of {len(prepared.trials)} trials were measured before")
    if not items:
        return
    frames = 0
    with Progress(len(items), "measure", "trial") as progress:
        for row in through_pool(MeasureTrial, items, work, "measuring"):  # 1 trial → 1 record
            frames += row["frames"]
            progress.advance(frames=frames)


def _show(prepared: Prepared, records: Mapping[str, TrialRecord]) -> list[str]:
    """Draw the worst and the best clips again, beside their source and driving frames. Returns the videos' names."""
    work = prepared.work
    chosen = {
        f"{protocol}_{name}.mp4": trial_id
        for protocol in work.config.protocols
        for name, trial_id in extremes(records, protocol, work.config.shown_by(protocol), work.config.shown.clips)
    }
    _remove_old(work)
    items = [
        {"trial": prepared.trials[trial_id].model_dump_json(), "file": work.file("clips", name)}
        for name, trial_id in chosen.items()
    ]
    if items:
        with Progress(len(items), "draw worst and best", "clip") as progress:
            for _ in through_pool(ShowTrial, items, work, "drawing clips"):  # 1 trial → 1 video
                progress.advance()
    return [str(item["file"]) for item in items]


def extremes(records: Mapping[str, TrialRecord], protocol: Protocol, metric: str, count: int) -> list[tuple[str, str]]:
    """Names (`worst_1`, …, `best_1`, …) and ids of the trials with the model's worst and best values, each once."""
    sign = 1 if BY_NAME[metric].better == "higher" else -1
    ranked = sorted(
        (sign * record.values["model"][metric], trial_id)
        for trial_id, record in records.items()
        if record.protocol == protocol and metric in record.values.get("model", {})
    )
    worst = ranked[:count]
    best = [one for one in reversed(ranked[-count:]) if one not in worst] if count else []
    return [
        (f"{name}_{place}", trial_id)
        for name, group in (("worst", worst), ("best", best))
        for place, (_, trial_id) in enumerate(group, 1)
    ]


def _write(prepared: Prepared, records: Mapping[str, TrialRecord]) -> tuple[list[str], Summary]:
    """Tables, plots and, last, the summary."""
    work, config = prepared.work, prepared.work.config
    data: dict[str, Any] = {"set": prepared.clips.set_id, "clips": len(prepared.clips.clips)}
    data |= (
        {"shards": config.shards, "split": config.split} if config.shards else {"videos": ", ".join(config.video_urls)}
    )
    summary = summarise(work, records, data, prepared.people, prepared.unavailable)
    written = {"clips.parquet": clips_parquet(records), "table.md": markdown(summary).encode()}
    for protocol in summary.results:
        picture = scatter_png(list(records.values()), protocol)
        if picture is not None:
            written[f"{protocol}.png"] = picture
    written["summary.json"] = summary.model_dump_json(indent=1).encode()
    for name, content in written.items():
        storage.write_bytes(work.file(name), content)
    return [work.file(name) for name in written], summary


def _remove_old(work: Work) -> None:
    """The shown clips of an earlier evaluation in the same place."""
    storage.remove_many([url for url in storage.list_if_there(work.file("clips")) if url.endswith(".mp4")])


def _check_shown_by(metric: str, protocol: Protocol) -> None:
    usable = [one.name for one in of_protocol(protocol) if not one.whole_run]
    if metric not in usable:
        raise UserError(f"shown.{protocol}_by={metric} is no measure of single clips: use {', '.join(usable)}")
