"""The results as tables: `clips.parquet`, a row a trial, and `table.md`."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

from liax.evaluation.definitions import BY_NAME, CONTESTANTS, METRICS, PROTOCOL_MEANINGS, Metric, of_protocol
from liax.evaluation.records import TrialRecord
from liax.evaluation.summary import ProtocolResults, Summary

_ARROWS = {"lower": "↓", "higher": "↑"}


def clip_rows(records: Mapping[str, TrialRecord]) -> list[dict[str, Any]]:
    """One flat row a trial; every row has every column, empty where there is no value."""
    rows = []
    for trial_id, record in records.items():
        row = {"trial": trial_id, **record.model_dump(mode="json", exclude={"values", "missing"})}
        for name in CONTESTANTS:
            for metric in METRICS:
                if not metric.whole_run:
                    row[f"{name}_{metric.name}"] = record.values.get(name, {}).get(metric.name)
        missing = {
            f"{name}_{metric}": why for name, reasons in record.missing.items() for metric, why in reasons.items()
        }
        rows.append({**row, "missing": "; ".join(f"{name}: {why}" for name, why in missing.items())})
    return rows


def clips_parquet(records: Mapping[str, TrialRecord]) -> bytes:
    """The rows as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = clip_rows(records)
    measured = [name for name in rows[0] if name.startswith(tuple(f"{one}_" for one in CONTESTANTS))]
    table = pa.Table.from_pylist(rows)
    for name in measured:  # a column without any value would have no type
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table.column(name).cast(pa.float64()))
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def markdown(summary: Summary) -> str:
    """The summary for people."""
    lines = [
        f"# {summary.model['given']}",
        "",
        f"- weights: SHA-256 {summary.model['sha256']}, {summary.model['size_px']} px",
        f"- clips: {', '.join(f'{name} {value}' for name, value in summary.data.items())}",
        f"- people of the training: {summary.people}",
        *(f"- {BY_NAME[metric].title}: {name}" for metric, name in summary.networks.items()),
        f"- definitions {summary.definitions_id}, below",
    ]
    for protocol, found in summary.results.items():
        left_out = "".join(f", {count} left out: {why}" for why, count in found.left_out.items())
        lines += [
            "",
            f"## {protocol}-reenactment",
            "",
            f"{PROTOCOL_MEANINGS[protocol]}. {found.clips} clips of {found.videos} videos, {found.frames} frames"
            f"{left_out}. In brackets 95 % bootstrap intervals over videos. *Gain*: how much better than "
            "showing the source unchanged, clip by clip.",
            "",
            "| | model | copy of the source | gain | clips |",
            "|---|---|---|---|---|",
            *(_row(metric, found) for metric in of_protocol(protocol)),
        ]
    return "\n".join([*lines, "", "## Definitions", "", *_definitions()]) + "\n"


def _row(metric: Metric, found: ProtocolResults) -> str:
    title = f"{metric.title}{f', {metric.unit}' if metric.unit else ''} {_ARROWS[metric.better]}"
    if metric.name in found.unavailable:
        return f"| {title} | unavailable: {found.unavailable[metric.name]} | | | 0 |"
    model, copy = (found.contestants[name].get(metric.name) for name in CONTESTANTS)
    gain = found.gain.get(metric.name)
    assert model is not None  # else it is among the unavailable
    cells = [model.text(), copy.text() if copy else "", gain.text("+") if gain else "", str(model.clips)]
    return f"| {title} | {' | '.join(cells)} |"


def _definitions() -> Iterator[str]:
    for metric in METRICS:
        unit = f" ({metric.unit})" if metric.unit else ""
        yield f"- **{metric.title}**{unit}, {metric.better} is better, version {metric.version}. {metric.meaning}"
        yield f"  Source: {metric.source}."
