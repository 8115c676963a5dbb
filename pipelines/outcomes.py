"""What became of every source and every track. Nothing vanishes: each ends as a clip or as a row with a reason."""

from collections import Counter
from collections.abc import Sequence

from liax.config import Config
from liax.sample import SampleInfo

KEPT = "kept"


class Outcome(Config):
    """One row: a clip that was kept, or a source, track or part of a track that was not, and why."""

    source_uri: str
    source_sha256: str
    stage: str
    """Where it was decided: probe, duplicates, faces or clips."""
    reason: str
    """A short name that is counted; `kept` for a clip."""
    detail: str = ""
    """The numbers behind it, for people."""
    track: int | None = None
    """The face track; None when the whole source is meant."""
    start_s: float | None = None
    """Where in the source the part begins; None when the whole track or source is meant."""
    key: str | None = None
    """The clip."""
    preview: str | None = None
    """Name of a picture of it for the report, if one was made."""


class Source(Config):
    """A source after probing. `reason` is empty when it can be used."""

    uri: str
    sha256: str
    """Of the file's bytes; empty when it could not be read."""
    duration_s: float = 0.0
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0
    """How long probing took."""

    @property
    def id(self) -> str:
        """Names the source by its content."""
        return self.sha256[:16]


class SourceRecord(Config):
    """The completion record of a source: it is written last, and a source that has one is not worked on again."""

    source: Source
    clips: list[SampleInfo]
    """What was kept. Split and identity are provisional here: the plan decides them, knowing every source."""
    clip_bytes: dict[str, int]
    """Size of each clip's files together, by key."""
    outcomes: list[Outcome]
    seconds: dict[str, float]
    """Time spent, by stage."""


def rejected(source: Source, stage: str, reason: str, detail: str = "") -> Outcome:
    """The row of a source that gives nothing."""
    return Outcome(source_uri=source.uri, source_sha256=source.sha256, stage=stage, reason=reason, detail=detail)


def reasons(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many rows there are for each reason, the most frequent first."""
    counted = Counter(outcome.reason for outcome in outcomes)
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def source_results(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """One word for each source URI: `kept` if it gave a clip, else the reason in its first row."""
    results: dict[str, str] = {}
    for outcome in outcomes:
        if outcome.reason == KEPT or outcome.source_uri not in results:
            results[outcome.source_uri] = outcome.reason
    return results
