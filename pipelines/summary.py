"""The run in numbers: `summary.json`, and the few lines that a user sees at the end."""

from collections import Counter
from collections.abc import Sequence

from liax.config import Config
from liax.sample import SampleInfo
from pipelines.funnel import SPANS, FunnelStep, funnel, step_of
from pipelines.histograms import Histogram, PoseMap, histograms, pose_map
from pipelines.outcomes import KEPT, Outcome, SegmentRecord, reasons, source_results
from pipelines.quality import QualityConfig

PEOPLE_BINS = ((1, 1), (2, 2), (3, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, None))
"""First and last number of clips of a person, for counting people."""


class Part(Config):
    """How much a part of the clips is."""

    clips: int
    hours: float
    people: int


class Summary(Config):
    """What came in, what went out, and where the time went."""

    sources: int
    """Videos that were found."""
    source_hours: float
    """Of those that could be used, each content once."""
    sources_kept: int
    """Videos that gave at least one clip."""
    segments: int
    """Pieces in which the videos were worked on."""
    clips: int
    hours: float
    """Of clips."""
    people: int
    """In the clips; a source counts as one person where people were not told apart."""
    shards: int
    sources_by_result: dict[str, int]
    """Every source once: `kept`, or why it gave no clip."""
    funnel: list[FunnelStep]
    """What was left from step to step, and why the rest was not."""
    spans: dict[str, int]
    """Black and frozen spans that were left out of their segments."""
    outcomes: dict[str, int]
    """Every row of `outcomes.parquet` by reason: clips that were kept, and everything that was not."""
    retried: int
    """Rows of what needed more than one attempt, because a process died or hung."""
    splits: dict[str, Part]
    """By side of the split."""
    clips_per_person: dict[str, int]
    """How many people have so many clips."""
    scores: dict[str, Histogram]
    """Of every clip that was made, by name."""
    poses: PoseMap
    seconds: dict[str, float]
    """Working time by stage, added up over the workers; `wall` is the time of this start of the job."""

    def text(self) -> str:
        """A few lines for a terminal."""
        people = f"{self.people} {'person' if self.people == 1 else 'people'}"
        lines = [
            f"{self.sources} videos: {self.sources_kept} gave {self.clips} clips ({self.hours * 60:.1f} min, {people}) "
            f"in {self.shards} shard{'' if self.shards == 1 else 's'}"
        ]
        lines += [
            f"  {count:5d}  {reason.replace('_', ' ')}"
            for reason, count in self.sources_by_result.items()
            if reason != KEPT
        ]
        return "\n".join(lines)

    def numbers(self) -> dict[str, float]:
        """Every single number by a name of its own, for a log of numbers. Histograms are there by their median."""
        plain = ("sources", "source_hours", "sources_kept", "segments", "clips", "hours", "people", "shards", "retried")
        found: dict[str, float] = {name: getattr(self, name) for name in plain}
        for step in self.funnel:
            found |= {f"funnel/{step.what}/came_in": step.came_in, f"funnel/{step.what}/went_on": step.went_on}
            for stage, counted in step.left_out.items():
                found |= {f"funnel/{step.what}/{stage}/{reason}": count for reason, count in counted.items()}
        for group in ("sources_by_result", "spans", "outcomes", "clips_per_person", "seconds"):
            found |= {f"{group}/{name}": value for name, value in getattr(self, group).items()}
        for side, part in self.splits.items():
            found |= {f"splits/{side}/{name}": value for name, value in part.model_dump().items()}
        found |= {f"scores/{name}": histogram.median for name, histogram in self.scores.items()}
        return {name: float(value) for name, value in found.items()}


def summarise(
    sources: int,
    records: Sequence[SegmentRecord],
    clips: Sequence[SampleInfo],
    outcomes: Sequence[Outcome],
    shards: int,
    seconds: dict[str, float],
    quality: QualityConfig,
) -> Summary:
    """Count a preprocessing run.

    Args:
        sources: how many videos were found, which the rows must account for.
        records: of all segments.
        clips: the kept ones, as the plan decided them.
        outcomes: every row.
        shards: how many there are.
        seconds: time spent beside that on the segments.
        quality: the thresholds that decided.

    Raises:
        AssertionError: the rows do not account for every source, segment, track and clip.
    """
    kept = {clip.key for clip in clips}
    lengths_s = {record.segment.source.sha256: record.segment.source.duration_s for record in records}
    spent: Counter[str] = Counter()
    for record in records:
        spent.update(record.seconds)
    return count(
        sources=sources,
        source_hours=sum(lengths_s.values()) / 3600,
        segments=len(records),
        clips=clips,
        left_out=[clip for record in records for clip in record.clips if clip.key not in kept],
        outcomes=outcomes,
        shards=shards,
        seconds=dict(spent) | seconds,
        quality=quality,
    )


def count(
    *,
    sources: int,
    source_hours: float,
    segments: int,
    clips: Sequence[SampleInfo],
    left_out: Sequence[SampleInfo],
    outcomes: Sequence[Outcome],
    shards: int,
    seconds: dict[str, float],
    quality: QualityConfig,
) -> Summary:
    """Count, where there are no records any more: what a filter leaves of a shard set, for one.

    Args:
        source_hours, segments: as in `Summary`.
        left_out: clips that were made and then left out, as far as their scores are known.
        sources, clips, outcomes, shards, seconds, quality: as in `summarise`, which also says what is raised.
    """
    results = Counter(source_results(outcomes).values())
    assert sum(results.values()) == sources, "a source is not accounted for"
    steps = funnel(sources, segments, outcomes)
    assert steps[-1].went_on == len(clips), "a clip is not accounted for"
    return Summary(
        sources=sources,
        source_hours=source_hours,
        sources_kept=results[KEPT],
        segments=segments,
        **_part(clips).model_dump(),
        shards=shards,
        sources_by_result=dict(sorted(results.items(), key=lambda item: (-item[1], item[0]))),
        funnel=steps,
        spans=reasons(outcome for outcome in outcomes if step_of(outcome) == SPANS),
        outcomes=reasons(outcomes),
        retried=sum(outcome.attempts > 1 for outcome in outcomes),
        splits={
            side: _part(chosen)
            for side in ("train", "val", "test")
            if (chosen := [clip for clip in clips if clip.split == side])
        },
        clips_per_person=_clips_per_person(clips),
        scores=histograms(clips, left_out, quality),
        poses=pose_map(clips),
        seconds={name: round(value, 2) for name, value in seconds.items()},
    )


def person_of(clip: SampleInfo) -> str:
    """The identity; the source stands for the person where people were not told apart."""
    return clip.identity or clip.source_sha256


def _part(clips: Sequence[SampleInfo]) -> Part:
    hours = sum(clip.frames / clip.fps for clip in clips) / 3600
    return Part(clips=len(clips), hours=hours, people=len({person_of(clip) for clip in clips}))


def _clips_per_person(clips: Sequence[SampleInfo]) -> dict[str, int]:
    counts = Counter(person_of(clip) for clip in clips).values()
    found = {}
    for first, last in PEOPLE_BINS:
        name = f"{first}" if first == last else f"{first}-{last}" if last else f"{first} or more"
        found[name] = sum(first <= count and (last is None or count <= last) for count in counts)
    while found and not found[name := list(found)[-1]]:  # nobody has so many
        del found[name]
    return found
