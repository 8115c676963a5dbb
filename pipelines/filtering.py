"""Choose clips of a finished shard set by their scores: a new set that names the old one's tars. Nothing is decoded."""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from liax import storage
from liax.config import Config, build
from liax.errors import JobError, UserError
from liax.sample import CropInfo, SampleInfo
from liax.shards import Commit, commit_url, load_commits, tar_name, tar_url
from pipelines.outcomes import KEPT, Outcome
from pipelines.quality import RULES, QualityConfig, verdict
from pipelines.summary import Summary, count

if TYPE_CHECKING:
    import pyarrow as pa

CLAIM = "filter.json"
TABLES = ("index.parquet", "outcomes.parquet", "summary.json")


class FilterConfig(Config):
    """A choice of clips."""

    input: str
    """A finished shard set: folder or `s3://` prefix."""
    output: str
    """Folder or `s3://` prefix for the new set. It holds no videos but names the tars of the input."""
    quality: QualityConfig = QualityConfig()


def filter_shards(config: FilterConfig) -> Summary:
    """Make the shard set of those clips that pass. The same command again gives the same bytes.

    Returns:
        The numbers of the new set.

    Raises:
        UserError: the input is no finished shard set or has no such score; the output holds something else.
        JobError: no clip passes.
    """
    source, target = _absolute(config.input), _absolute(config.output)
    if f"{target}/".startswith(f"{source}/") or f"{source}/".startswith(f"{target}/"):
        raise UserError(f"input {source} and output {target} must not lie in each other: give an output= beside it")
    commits = load_commits(source)
    missing = [name for name in TABLES if not storage.exists(storage.join(source, name))]
    if missing:
        raise UserError(f"{source} has no {missing[0]}: finish it first, by the same `liax preprocess` as before")
    index = _read_table(storage.join(source, "index.parquet"))
    _check_scores(index, config.quality, source)
    clips = [sample_of(row) for row in index.to_pylist()]

    failed = {clip.key: why for clip in clips if (why := verdict(clip.scores, config.quality)) is not None}
    kept = [clip for clip in clips if clip.key not in failed]
    if not kept:
        counted = ", ".join(f"{name} {n}" for name, n in Counter(reason for reason, _ in failed.values()).most_common())
        raise JobError(f"none of the {len(clips)} clips of {source} passes: {counted}")
    _claim(target, source, commits, config.quality)
    outcomes = _outcomes(source, failed)
    old = _summary_of(source)
    chosen = [_chosen(commit, source, target, failed) for commit in commits]
    chosen = [commit for commit in chosen if commit.samples]
    summary = count(
        sources=old.sources,
        source_hours=old.source_hours,
        segments=old.segments,
        clips=kept,
        left_out=[clip for clip in clips if clip.key in failed],
        outcomes=outcomes,
        shards=len(chosen),
        seconds={},
        quality=config.quality,
    )
    _write_table(storage.join(target, "index.parquet"), _chosen_rows(index, failed, chosen))
    _write_rows(storage.join(target, "outcomes.parquet"), outcomes)
    storage.write_bytes(storage.join(target, "summary.json"), summary.model_dump_json(indent=1).encode())
    for commit in chosen:  # last: they make the set exist
        data = json.dumps(commit.model_dump(mode="json"), sort_keys=True).encode()
        storage.create_bytes(commit_url(target, commit.shard), data)
    return summary


def sample_of(row: Mapping[str, Any]) -> SampleInfo:
    """The sample of a row of `index.parquet`; a score that is null was not measured."""

    def part(prefix: str) -> dict[str, Any]:
        return {name.removeprefix(prefix): v for name, v in row.items() if name.startswith(prefix) and v is not None}

    own = {name: row[name] for name in SampleInfo.model_fields if name in row}
    return SampleInfo(**own, crop=CropInfo(**part("crop_")), scores=part("score_"))


def _check_scores(index: "pa.Table", quality: QualityConfig, source: str) -> None:
    """A threshold on a score that no clip has would silently do nothing."""
    for rule in RULES:
        unmeasured = rule.score == "landmark_error"  # only where a face was searched for twice
        set_here = getattr(quality, rule.setting) is not None and not quality.score_only
        if set_here and not unmeasured and f"score_{rule.score}" not in index.column_names:
            raise UserError(
                f"the clips of {source} have no score '{rule.score}': set quality.{rule.setting}=null, or preprocess "
                "the videos again with this version"
            )


def _claim(target: str, source: str, commits: Sequence[Commit], quality: QualityConfig) -> None:
    """Claim the output for this choice. Raises UserError if it belongs to another or holds other files."""
    tars = hashlib.sha256("".join(commit.model_dump_json() for commit in commits).encode()).hexdigest()[:12]
    mine = {"input": source, "input_set": tars, "quality": quality.model_dump(mode="json")}
    url = storage.join(target, CLAIM)
    if not storage.exists(url) and storage.list_if_there(target):
        raise UserError(f"the output {target} holds other files: give an empty or new place as output=")
    storage.make_folder(target)
    data = json.dumps(mine, indent=1, sort_keys=True).encode()
    if not storage.create_bytes(url, data) and storage.read_bytes(url) != data:
        raise UserError(f"{target} holds another choice of clips: give another output=, or remove it")


def _absolute(url: str) -> str:
    return url.rstrip("/") if storage.is_s3(url) else str(Path(url).resolve())


def _chosen(commit: Commit, source: str, target: str, failed: Mapping[str, Any]) -> Commit:
    """A commit record of the new set: the samples that are left, in the old set's tar."""
    return commit.model_copy(
        update={
            "tar": tar_name(target, tar_url(source, commit.tar)),
            "samples": [sample for sample in commit.samples if sample.key not in failed],
        }
    )


def _chosen_rows(index: "pa.Table", failed: Mapping[str, Any], chosen: Sequence[Commit]) -> "pa.Table":
    import pyarrow as pa

    left = index.filter(pa.array([key not in failed for key in index["key"].to_pylist()]))
    tars = {commit.shard: commit.tar for commit in chosen}
    named = pa.array([tars[shard] for shard in left["shard"].to_pylist()], pa.string())
    return left.set_column(left.schema.get_field_index("tar"), "tar", named)


def _outcomes(source: str, failed: Mapping[str, tuple[str, str]]) -> list[Outcome]:
    """Every row of the old set, with the clips that are left out now."""
    url = storage.join(source, "outcomes.parquet")
    rows = [build(Outcome, row, url) for row in _read_table(url).to_pylist()]

    def decided(row: Outcome) -> Outcome:
        if row.reason != KEPT or row.key is None or row.key not in failed:
            return row
        reason, detail = failed[row.key]
        return row.model_copy(update={"stage": "quality", "reason": reason, "detail": detail})

    return [decided(row) for row in rows]


def _summary_of(source: str) -> Summary:
    url = storage.join(source, "summary.json")
    try:
        values = json.loads(storage.read_bytes(url))
    except ValueError:
        raise _broken(url, "JSON") from None
    return build(Summary, values, url)


def _read_table(url: str) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(io.BytesIO(storage.read_bytes(url)))
    except (pa.ArrowException, OSError):
        raise _broken(url, "Parquet") from None


def _broken(url: str, kind: str) -> UserError:
    return UserError(f"{url} is not a {kind} file; run `liax preprocess` again to write it")


def _write_rows(url: str, outcomes: Sequence[Outcome]) -> None:
    import pyarrow as pa

    _write_table(url, pa.Table.from_pylist([outcome.model_dump(mode="json") for outcome in outcomes]))


def _write_table(url: str, table: "pa.Table") -> None:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    storage.write_bytes(url, buffer.getvalue())
