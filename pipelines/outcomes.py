"""What became of every source and every track. Nothing vanishes: each ends as a clip or as a row with a reason."""

from collections import Counter
from collections.abc import Iterable, Sequence

from liax.config import Config
from liax.sample import SampleInfo
from pipelines.signatures import ClipSignature

KEPT = "kept"


class Outcome(Config):
    """One row: a clip that was kept, or a source, segment, track or part of a track that was not, and why."""

    source_uri: str
    source_sha256: str
    stage: str
    """Where it was decided: probe, duplicates, shots, faces, clips, quality or near_duplicates."""
    reason: str
    """A short name that is counted; `kept` for a clip."""
    detail: str = ""
    """The numbers behind it, for people."""
    segment: int | None = None
    """The piece of the source; None when the whole source is meant."""
    track: int | None = None
    """The face track within the segment; None when no track is meant."""
    start_s: float | None = None
    """Where in the source the part begins; None when the whole track, segment or source is meant."""
    key: str | None = None
    """The clip, also one that was made and then left out."""
    preview: str | None = None
    """Name of a picture of it for the report, if one was made."""
    attempts: int = 1
    """How often it was tried; more than once where a process that worked on it died or hung."""


class Source(Config):
    """A source after probing. `reason` is empty when it can be used."""

    uri: str
    sha256: str
    """Of the file's bytes; empty when it could not be read."""
    bytes: int = 0
    duration_s: float = 0.0
    """By the header, or by the frames where the header is silent."""
    container: str = ""
    """As ffmpeg names it."""
    codec: str = ""
    width_px: int = 0
    height_px: int = 0
    """Of the upright picture with square pixels."""
    fps: str = ""
    """Average rate as a fraction, for example `30000/1001`."""
    variable_rate: bool = False
    rotation_deg: int = 0
    has_audio: bool = False
    yuv_matrix: int = 0
    """Code of ISO/IEC 23091-2."""
    full_range: bool = False
    reason: str = ""
    detail: str = ""
    attempts: int = 1
    seconds: float = 0.0
    """How long probing took."""


class Segment(Config):
    """A piece of a source, short enough for one task: the unit of work, with one completion record."""

    id: str
    """Names the segment by the source's content, its span and the configuration."""
    source: Source
    number: int
    """Place in the source, from 0."""
    start_s: float
    end_s: float | None
    """None: up to the end of the source."""

    @property
    def length_s(self) -> float:
        """How long the segment is, as far as the source's header tells."""
        return max(0.0, (self.source.duration_s if self.end_s is None else self.end_s) - self.start_s)


class SegmentRecord(Config):
    """The completion record of a segment: it is written last, and a segment that has one is not worked on again."""

    segment: Segment
    clips: list[SampleInfo]
    """What was made. Split and identity are provisional here: the plan decides them, knowing every source."""
    clip_bytes: dict[str, int]
    """Size of each clip's files together, by key."""
    signatures: dict[str, ClipSignature]
    """What each clip is compared with others by, by key."""
    outcomes: list[Outcome]
    seconds: dict[str, float]
    """Time spent, by stage."""


def rejected(
    source: Source, stage: str, reason: str, detail: str = "", segment: int | None = None, attempts: int = 1
) -> Outcome:
    """The row of a source, or of a segment of it, that gives nothing."""
    return Outcome(
        source_uri=source.uri,
        source_sha256=source.sha256,
        stage=stage,
        reason=reason,
        detail=detail,
        segment=segment,
        attempts=attempts,
    )


def reasons(outcomes: Iterable[Outcome]) -> dict[str, int]:
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
