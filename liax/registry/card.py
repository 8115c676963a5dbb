"""The model card that goes with a registered model: what it is, what it learnt from, how good it is, and its limits."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from liax import storage
from liax.controls_file import ControlsFile
from liax.errors import UserError
from liax.inference.controls import Controls
from liax.model.config import ModelConfig
from liax.registry.origin import UNKNOWN, Origin, training_set
from liax.shards import CommitSample
from liax.training.checkpoint import CheckpointState

_TEMPLATE = """# {name}

A LIA-X network (arXiv 2508.09959): it animates a portrait with the motion of a driving video of a face.

| | |
|---|---|
| picture | {size_px} × {size_px} px |
| width multiplier | {width:g} |
| motion dictionary | {directions} directions |
| weights | averaged generator, float32, after {step} training steps |
| trained with | {code} |

## Results in training
{metrics}

## Evaluation
{evaluation}

## Controls
{controls}

## Training data
{data}

## Limits and misuse
It redraws one face in a square crop framed like its training clips; large turns, covered faces and hands fail. It can
make a person appear to do or say what they did not: animate only people who have agreed to it, and mark results as
synthetic. Who is in the training videos decides for whom it works well; that was not measured here.

## Licence
That of the project the weights were trained with, and no wider than the training videos' licences allow. Those are not
recorded: whoever trained the model has to know them.

## Training settings
```yaml
{settings}
```
"""
_SHOWN = ("l1_first", "l1_last")
_VALIDATION = "val_"
_SPLITS = ("train", "val", "test")


def model_card(
    name: str,
    state: CheckpointState,
    config: ModelConfig,
    origin: Origin,
    evaluation: str | None,
    controls: ControlsFile | None = None,
) -> str:
    """The card's Markdown.

    Args:
        name: of the registered model.
        state: of the checkpoint.
        config: of the network.
        origin: of the checkpoint.
        evaluation: what `evaluation_table` gave; None for none.
        controls: what was measured of its directions; None where nothing was.
    """
    return _TEMPLATE.format(
        name=name,
        size_px=config.size_px,
        width=config.width,
        directions=config.directions,
        step=state.step,
        code=_code(origin),
        metrics=_metrics_table(state, origin),
        evaluation=evaluation or "None was given: `liax evaluate`, then `liax register … --evaluation`.",
        controls=_controls_table(controls),
        data=_data_report(origin),
        settings=origin.settings,
    )


def evaluation_table(evaluation: str, weights_sha256: str) -> str:
    """The table of a finished evaluation, to stand in a card.

    Args:
        evaluation: output of `liax evaluate`.
        weights_sha256: that it must be of.

    Raises:
        UserError: it is no finished evaluation, or of other weights.
    """
    url = storage.join(evaluation.rstrip("/"), "summary.json")
    try:
        measured = json.loads(storage.read_bytes(url))["model"]["sha256"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{url} is no evaluation's: give the output of `liax evaluate`") from None
    if measured != weights_sha256:
        raise UserError(
            f"{evaluation} is the evaluation of other weights ({measured[:12]}…, and the checkpoint's are "
            f"{weights_sha256[:12]}…): evaluate this checkpoint"
        )
    table = storage.read_bytes(storage.join(evaluation.rstrip("/"), "table.md")).decode()
    # Its title names the model by a path; its headings go below the card's.
    return re.sub(r"^#", "##", table.partition("\n")[2].strip(), flags=re.MULTILINE)


def _code(origin: Origin) -> str:
    commit = origin.code.get("git_commit")
    if commit is None:
        return "code that was not recorded"
    return f"git commit {commit}{' with changes' if origin.code.get('dirty') == 'true' else ''}"


def _metrics_table(state: CheckpointState, origin: Origin) -> str:
    """The run's summary where it is of this step, else the validation that the checkpoint was kept by."""
    url = storage.join(origin.output, "summary.json")
    values = _read(url)
    if values.get("steps") == state.step:
        names = [*(name for name in _SHOWN if name in values), *(n for n in values if n.startswith(_VALIDATION))]
        note = "L1 is on pictures in [-1, 1]; `_copy` is the error of showing the source picture unchanged."
    elif state.score is not None:
        values, names = {"val_l1": state.score}, ["val_l1"]
        note = "L1 is on pictures in [-1, 1], on held-out clips after this step; the run went on, or was stopped."
    else:
        return "Not known: the run has no summary of this step, and nothing was validated at it."
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {values[name]:.4f} |" for name in names), "", note])


def _controls_table(file: ControlsFile | None) -> str:
    if file is None:
        return "Not measured: directions are moved by their numbers. `liax atlas`, then `liax register … --controls`."
    choices = Controls(file.directions, file=file).choices()
    rows = [
        f"| {choice.name} | {choice.unit} | {choice.span[0]:+.3g} to {choice.span[1]:+.3g} "
        f"| {'' if choice.error is None else f'{choice.error:.2g}'} | {choice.status} | {choice.meaning} |"
        for choice in choices
        if choice.status != "unavailable"
    ]
    lines = ["| | unit | safe range | mean error | | a positive value: |", "|---|---|---|---|---|---|", *rows]
    refused = [choice for choice in choices if choice.status == "unavailable"]
    if refused:
        lines += ["", f"It cannot do: {'; '.join(f'{choice.name} ({choice.reason})' for choice in refused)}."]
    if file.measured_on:
        told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in file.measured_on.items())
        lines += [
            "",
            f"Changes from the portrait's own state, measured by `liax atlas` on people that they were not "
            f"fitted on: {told}.",
        ]
    return "\n".join(lines)


def _data_report(origin: Origin) -> str:
    shards = training_set(origin)
    named = f"A shard set whose id was not recorded, at {origin.shards}"
    if origin.set_id != UNKNOWN:
        named = f"Shard set {origin.set_id}, at {origin.shards}"
    if shards is None:
        return f"{named}; it could not be read when the model was registered."
    by_split: dict[str, list[CommitSample]] = defaultdict(list)
    for ref in shards.samples:
        by_split[ref.sample.split].append(ref.sample)
    lines = [f"{named}.", "", "| split | videos | people | clips | hours |", "|---|---|---|---|---|"]
    lines += [_row(split, by_split[split]) for split in _SPLITS if split in by_split]
    if not any(ref.sample.identity for ref in shards.samples):
        lines += ["", "People were not told apart: each video counts as one."]
    return "\n".join([*lines, *_preprocessing(origin.shards)])


def _row(split: str, samples: Sequence[CommitSample]) -> str:
    videos = {sample.source_sha256 for sample in samples}
    people = {sample.identity or sample.source_sha256 for sample in samples}
    hours = sum(sample.frames / sample.fps for sample in samples) / 3600
    return f"| {split} | {len(videos):,} | {len(people):,} | {len(samples):,} | {hours:,.2f} |"


def _preprocessing(shards: str) -> Iterator[str]:
    """What became of the videos that the set was made from, where its summary is there."""
    found = _read(storage.join(shards, "summary.json"))
    if not {"sources", "sources_kept", "source_hours", "sources_by_result"} <= found.keys():
        return
    yield ""
    yield (
        f"Made from {found['sources']:,} videos, {found['source_hours']:,.2f} hours that could be used; "
        f"{found['sources_kept']:,} gave clips."
    )
    lost = {reason: count for reason, count in found["sources_by_result"].items() if reason != "kept"}
    if lost:
        told = ", ".join(f"{reason.replace('_', ' ')} ({count:,})" for reason, count in lost.items())
        yield f"The others gave none: {told}."


def _read(url: str) -> dict[str, Any]:
    """A summary; empty where there is none."""
    if not storage.exists(url):
        return {}
    try:
        return dict(json.loads(storage.read_bytes(url)))
    except (ValueError, TypeError):
        raise UserError(f"{url} is damaged, and the model card quotes it: remove it, or write it again") from None
