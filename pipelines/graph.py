"""The whole preprocessing, from videos to a committed shard set, in the order in which it happens.

Pictures never travel between stages: rows hold names, numbers, boxes and landmarks. Every source and every shard has a
completion record of its own, written last, so a run that died anywhere is continued by starting it again.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from liax import storage
from liax.errors import JobError
from liax.progress import Progress
from liax.sample import SampleInfo
from liax.shards import commit_url, load_commits
from pipelines.clips import clips_row
from pipelines.config import PreprocessConfig
from pipelines.duplicates import set_aside
from pipelines.faces import FindFaces
from pipelines.outcomes import Source, SourceRecord
from pipelines.packing import pack_row, remove_packed
from pipelines.planning import Plan, decided, freeze_plan, make_plan
from pipelines.probing import probe_row
from pipelines.report import write_report
from pipelines.run import Run, finished_ids, freeze_sources, load_record, load_sources, open_run
from pipelines.sources import list_sources
from pipelines.summary import Summary, summarise
from pipelines.tables import write_tables

if TYPE_CHECKING:
    from ray.data import Dataset

FACES_CPUS, CLIPS_CPUS = 0.5, 0.5
"""Cores that a face search and a clip encoder reserve. Together one, so that a core always has a pair of them and
neither stage can take every core and starve the other. The two take about equally long."""

MOST_BLOCKS = 4096
"""Rows are handed out in at most this many blocks: one a source for small runs, so that the work spreads evenly."""

OWN_ERROR = re.compile(r"(?!ray\.)[\w.]+(Error|Exception)\b.*: ")
"""How the last line of a traceback begins."""


def open_preprocessing(config: PreprocessConfig) -> tuple[Run, list[str]]:
    """List the sources and claim the output: all that a wrong command line can get wrong, before Ray starts.

    Raises:
        UserError: no videos, or an output that holds something else.
    """
    uris = list_sources(config.inputs)
    return open_run(config, uris), uris


def preprocess(config: PreprocessConfig, run: Run, uris: Sequence[str]) -> Summary:
    """Turn videos into shards. Ray must be running.

    Raises:
        JobError: a stage failed in a way that is not the fault of one video, or no clip came out.
    """
    started = time.monotonic()
    _quiet_ray_data()
    workers = config.workers or _cluster_cores()

    sources = _probe(run, config, uris)
    unique, outcomes = set_aside(sources)
    _make_clips(run, config, unique, workers)
    records = [load_record(run, source) for source in unique]
    outcomes += [outcome for record in records for outcome in record.outcomes]

    plan = freeze_plan(run, make_plan(records, config.split, config.shards))
    clips = _planned_clips(plan, records)
    pack_s = _pack(run, plan, clips)
    write_tables(run, load_commits(run.url) if clips else [], clips, outcomes)
    seconds = {"pack": pack_s, "wall": time.monotonic() - started}
    summary = summarise(len(uris), records, list(clips.values()), outcomes, len(plan.shards), seconds)
    storage.write_bytes(run.file("summary.json"), summary.model_dump_json(indent=1).encode())
    write_report(run, summary, outcomes, list(clips.values()))
    remove_packed(run, list(clips.values()))
    if not clips:
        raise JobError(f"no clip came out of {len(uris)} videos; {run.file('report.html')} says why")
    return summary


def _probe(run: Run, config: PreprocessConfig, uris: Sequence[str]) -> list[Source]:
    """Probe every source, once for the whole life of the run."""
    frozen = load_sources(run)
    if frozen is not None:
        return frozen
    rows = _dataset([{"uri": uri} for uri in uris]).map(  # 1 source → 1 row; half a core, it waits for the disk
        partial(probe_row, limits=config.limits), num_cpus=0.5
    )
    return freeze_sources(
        run, [Source.model_validate_json(row["source"]) for row in _rows(rows, len(uris), "probe", "video")]
    )


def _make_clips(run: Run, config: PreprocessConfig, sources: Sequence[Source], workers: int) -> None:
    """Find faces and cut clips, for the sources that have no completion record yet."""
    finished = finished_ids(run)
    open_sources = [source for source in sources if source.id not in finished]
    if not open_sources:
        return
    from ray.data import ActorPoolStrategy

    # A class is called like a function once Ray has made its actor, which the type of `map` does not say.
    find_faces = cast("Callable[[dict[str, Any]], dict[str, Any]]", FindFaces)
    actors = ActorPoolStrategy(min_size=1, max_size=max(1, min(workers, len(open_sources))))
    rows = (
        _dataset([{"source": source.model_dump_json()} for source in open_sources])
        .map(find_faces, fn_constructor_args=[config.faces], compute=actors, num_cpus=FACES_CPUS)  # 1 source → 1 row
        .map(partial(clips_row, run=run, config=config), num_cpus=CLIPS_CPUS)  # 1 source → 1 record
    )
    made = 0
    with Progress(len(open_sources), "find faces, cut clips", "video") as progress:
        for row in _iterate(rows, "making clips"):
            made += row["clips"]
            progress.advance(clips=made)


def _planned_clips(plan: Plan, records: Sequence[SourceRecord]) -> dict[str, SampleInfo]:
    """Every planned clip by key, with its split, in the order of the shards."""
    made = {clip.key: clip for record in records for clip in record.clips}
    return {key: decided(made[key], shard) for shard in plan.shards for key in shard.keys}


def _pack(run: Run, plan: Plan, clips: dict[str, SampleInfo]) -> float:
    """Pack the shards that are not committed yet. Returns the working time in seconds."""
    waiting = [shard for shard in plan.shards if not storage.exists(commit_url(run.url, shard.number))]
    if not waiting:
        return 0.0
    items = [
        {"number": shard.number, "clips": json.dumps([clips[key].model_dump(mode="json") for key in shard.keys])}
        for shard in waiting
    ]
    rows = _dataset(items).map(partial(pack_row, run=run), num_cpus=0.5)  # 1 shard → 1 row; it waits for the disk
    return sum(float(row["seconds"]) for row in _rows(rows, len(items), "pack", "shard"))


def _dataset(items: list[dict[str, Any]]) -> "Dataset":
    import ray

    return ray.data.from_items(items, override_num_blocks=min(len(items), MOST_BLOCKS))


def _rows(dataset: "Dataset", total: int, label: str, unit: str) -> Iterator[dict[str, Any]]:
    """The rows of a dataset as they are made, with progress."""
    with Progress(total, label, unit) as progress:
        for row in _iterate(dataset, label):
            progress.advance()
            yield row


def _iterate(dataset: "Dataset", label: str) -> Iterator[dict[str, Any]]:
    """The rows of a dataset; a failure of the stage's own code ends the job in one line."""
    import ray

    try:
        yield from dataset.iter_rows()
    except ray.exceptions.RayError as error:
        raise JobError(f"{label} failed: {_cause(str(error)) or type(error).__name__}") from error


def _cause(text: str) -> str:
    """The line of Ray's report that names the stage's own error: Ray writes its own errors and advice round it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [line for line in lines if OWN_ERROR.match(line)]
    return named[-1] if named else "".join(lines[-1:])


def _cluster_cores() -> int:
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def _quiet_ray_data() -> None:
    """Ray Data's own bars and plans would bury the job's."""
    import logging

    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
