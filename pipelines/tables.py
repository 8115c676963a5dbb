"""Stage 9, tables: `index.parquet` (what is in the shards) and `outcomes.parquet` (what became of everything)."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from liax import storage
from liax.sample import SampleInfo
from liax.shards import Commit
from pipelines.outcomes import Outcome
from pipelines.run import Run


def index_rows(commits: Sequence[Commit], clips: Mapping[str, SampleInfo]) -> list[dict[str, Any]]:
    """One row a clip: all of its json, flat, and where its members lie in which tar."""
    rows = []
    for commit in commits:
        for sample in commit.samples:
            info = clips[sample.key].model_dump(mode="json") | {"split": sample.split, "identity": sample.identity}
            crop, scores = info.pop("crop"), info.pop("scores")
            offsets = {
                f"{extension}_{name}": number
                for extension, span in sorted(sample.offsets.items())
                for name, number in zip(("offset", "bytes"), span, strict=True)
            }
            flat = {f"crop_{name}": value for name, value in crop.items()}
            flat |= {f"score_{name}": value for name, value in sorted(scores.items())}
            rows.append({**info, **flat, "shard": commit.shard, "tar": commit.tar, **offsets})
    return sorted(rows, key=lambda row: row["key"])


def write_tables(
    run: Run, commits: Sequence[Commit], clips: Mapping[str, SampleInfo], outcomes: Sequence[Outcome]
) -> None:
    """Write both tables. They are made from the records alone and can be made again at any time."""
    _write_parquet(run.file("index.parquet"), index_rows(commits, clips))
    _write_parquet(run.file("outcomes.parquet"), [outcome.model_dump(mode="json") for outcome in outcomes])


def _write_parquet(url: str, rows: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    # Not every clip has every score, and the first row alone would decide which columns there are.
    names = list(dict.fromkeys(name for row in rows for name in row))
    pq.write_table(pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows]), buffer)
    storage.write_bytes(url, buffer.getvalue())
