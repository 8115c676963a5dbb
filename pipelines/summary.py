"""The run in numbers: `summary.json`, and the few lines that a user sees at the end."""

from collections import Counter
from collections.abc import Sequence

from liax.config import Config
from liax.sample import SampleInfo
from pipelines.outcomes import KEPT, Outcome, SourceRecord, reasons, source_results


class Summary(Config):
    """What came in, what went out, and where the time went."""

    sources: int
    """Videos that were found."""
    sources_kept: int
    """Videos that gave at least one clip."""
    clips: int
    hours: float
    """Of clips."""
    shards: int
    sources_by_result: dict[str, int]
    """Every source once: `kept`, or why it gave no clip."""
    outcomes: dict[str, int]
    """Every row of `outcomes.parquet` by reason: clips that were kept, and tracks and sources that were not."""
    splits: dict[str, int]
    """Clips by side of the split."""
    seconds: dict[str, float]
    """Working time by stage, added up over the workers; `wall` is the time of this start of the job."""

    def text(self) -> str:
        """A few lines for a terminal."""
        lines = [
            f"{self.sources} videos: {self.sources_kept} gave {self.clips} clips ({self.hours * 60:.1f} min) "
            f"in {self.shards} shard{'' if self.shards == 1 else 's'}"
        ]
        lines += [
            f"  {count:5d}  {_words(reason)}" for reason, count in self.sources_by_result.items() if reason != KEPT
        ]
        return "\n".join(lines)


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def summarise(
    sources: int,
    records: Sequence[SourceRecord],
    clips: Sequence[SampleInfo],
    outcomes: Sequence[Outcome],
    shards: int,
    seconds: dict[str, float],
) -> Summary:
    """Count. `sources` is the number found, which the rows must account for."""
    results = Counter(source_results(outcomes).values())
    assert sum(results.values()) == sources, "a source is not accounted for"
    spent: Counter[str] = Counter()
    for record in records:
        spent.update(record.seconds)
    return Summary(
        sources=sources,
        sources_kept=results[KEPT],
        clips=len(clips),
        hours=sum(clip.frames / clip.fps for clip in clips) / 3600,
        shards=shards,
        sources_by_result=dict(results.most_common()),
        outcomes=reasons(outcomes),
        splits=dict(Counter(clip.split for clip in clips).most_common()),
        seconds={name: round(value, 2) for name, value in (dict(spent) | seconds).items()},
    )
