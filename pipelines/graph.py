"""The whole preprocessing, from videos to a committed shard set, in the order in which it happens.

Pictures never travel between stages: rows hold names, numbers, boxes and landmarks. Every segment and every shard has a
completion record of its own, written last, so a run that died anywhere is continued by starting it again.
"""

import json
import time
from collections.abc import Sequence
from functools import partial

from liax import ray_data, storage
from liax.errors import JobError, UserError
from liax.progress import Progress
from liax.sample import SampleInfo
from liax.shards import commit_url, load_commits
from pipelines.clips import MakeClips
from pipelines.cluster import check_memory, cores, room
from pipelines.config import PreprocessConfig
from pipelines.duplicates import set_aside
from pipelines.faces import FindFaces
from pipelines.networks import check_weights
from pipelines.outcomes import Segment, SegmentRecord, Source
from pipelines.packing import pack_row, remove_packed
from pipelines.planning import Plan, freeze_plan, load_plan, make_plan, planned_clips, planned_outcomes
from pipelines.probing import BATCH, ProbeBatch
from pipelines.report import write_report
from pipelines.run import Run, finished_batches, finished_segments, load_records, load_sources, open_run
from pipelines.segments import all_segments
from pipelines.sources import list_sources
from pipelines.summary import Summary, summarise
from pipelines.tables import write_tables

PROBE_CPUS, PACK_CPUS = 0.5, 0.5
"""Cores that a prober and a packer reserve: they wait for the disk half of the time."""

FACES_CPUS, CLIPS_CPUS = 0.5, 0.5
"""Cores that a face search and a clip encoder reserve. Together one, so that a core always has a pair of them and
neither stage can take every core and starve the other. The two take about equally long."""


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
        UserError: Ray has less memory than one worker of each stage reserves, or a weight file is not to be had.
    """
    started = time.monotonic()
    ray_data.quiet()
    check_memory([config.work.faces_memory_bytes, config.work.clips_memory_bytes])
    check_weights(config.faces, config.people)
    workers = config.workers or cores()

    sources = _probe(run, config, uris, workers)
    unique, outcomes = set_aside(sources)
    segments = all_segments(unique, config.segments, run.content_id)
    _make_clips(run, config, segments, workers)

    records = load_records(run, segments)
    plan = load_plan(run) or _decide(run, config, records)
    clips = planned_clips(plan, records)
    outcomes += planned_outcomes(plan, (outcome for record in records for outcome in record.outcomes))
    pack_s = _pack(run, config, plan, clips)

    write_tables(run, load_commits(run.url) if clips else [], clips, outcomes)
    seconds = {"pack": pack_s, "wall": time.monotonic() - started}
    kept = list(clips.values())
    summary = summarise(len(uris), records, kept, outcomes, len(plan.shards), seconds, config.quality)
    storage.write_bytes(run.file("summary.json"), summary.model_dump_json(indent=1).encode())
    write_report(run, summary, outcomes, kept)
    remove_packed(run)
    if not clips:
        raise JobError(f"no clip came out of {len(uris)} videos; {run.file('report.html')} says why")
    return summary


def _probe(run: Run, config: PreprocessConfig, uris: Sequence[str], workers: int) -> list[Source]:
    """Probe every source that is in no record yet."""
    batches = [list(uris[first : first + BATCH]) for first in range(0, len(uris), BATCH)]
    finished = finished_batches(run)
    waiting = [(number, batch) for number, batch in enumerate(batches) if number not in finished]
    if waiting:
        items = [{"number": number, "uris": batch} for number, batch in waiting]
        rows = ray_data.dataset(items).map(  # 1 batch of URIs → 1 record
            ray_data.actor(ProbeBatch),
            fn_constructor_args=[run, config.limits, config.work],
            compute=ray_data.pool(min(workers, len(items)), room(PROBE_CPUS, config.work.probe_memory_bytes)),
            num_cpus=PROBE_CPUS,
            memory=config.work.probe_memory_bytes,
        )
        with Progress(sum(len(batch) for _, batch in waiting), "probe", "video") as progress:
            for row in ray_data.rows(rows, "probing"):
                progress.advance(row["videos"])
    return load_sources(run, len(batches))


def _make_clips(run: Run, config: PreprocessConfig, segments: Sequence[Segment], workers: int) -> None:
    """Find faces and make clips, for the segments that have no completion record yet."""
    finished = finished_segments(run)
    items = [{"segment": segment.model_dump_json()} for segment in segments if segment.id not in finished]
    if not items:
        return
    work = config.work
    pairs = room(FACES_CPUS + CLIPS_CPUS, work.faces_memory_bytes + work.clips_memory_bytes)
    rows = (
        ray_data.dataset(items)
        .map(  # 1 segment → 1 row with its face tracks
            ray_data.actor(FindFaces),
            fn_constructor_args=[config],
            compute=ray_data.pool(min(workers, len(items)), pairs),
            num_cpus=FACES_CPUS,
            memory=work.faces_memory_bytes,
        )
        .map(  # 1 segment → 1 completion record with its clips
            ray_data.actor(MakeClips),
            fn_constructor_args=[run, config],
            compute=ray_data.pool(min(workers, len(items)), pairs),
            num_cpus=CLIPS_CPUS,
            memory=work.clips_memory_bytes,
        )
    )
    made = 0
    with Progress(len(items), "find faces, cut clips", "segment") as progress:
        for row in ray_data.rows(rows, "making clips"):
            made += row["clips"]
            progress.advance(clips=made)


def _decide(run: Run, config: PreprocessConfig, records: Sequence[SegmentRecord]) -> Plan:
    """Make the plan and freeze it, unless another driver does so meanwhile."""
    try:
        return freeze_plan(run, make_plan(records, config, run.motion))
    except UserError:
        # The other one may have packed and removed the clips that are being compared here.
        plan = load_plan(run)
        if plan is None:
            raise
        return plan


def _pack(run: Run, config: PreprocessConfig, plan: Plan, clips: dict[str, SampleInfo]) -> float:
    """Pack the shards that are not committed yet. Returns the working time in seconds."""
    waiting = [shard for shard in plan.shards if not storage.exists(commit_url(run.url, shard.number))]
    if not waiting:
        return 0.0
    items = [
        {"number": shard.number, "clips": json.dumps([clips[key].model_dump(mode="json") for key in shard.keys])}
        for shard in waiting
    ]
    rows = ray_data.dataset(items).map(  # 1 shard → 1 commit record
        partial(pack_row, run=run), num_cpus=PACK_CPUS, memory=config.work.pack_memory_bytes
    )
    spent_s = 0.0
    with Progress(len(items), "pack", "shard") as progress:
        for row in ray_data.rows(rows, "packing"):
            spent_s += float(row["seconds"])
            progress.advance()
    return spent_s
