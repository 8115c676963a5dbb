"""Stage 4, segments: long sources are worked on in pieces (1 source → its segments, on the driver: numbers only)."""

import math
from collections.abc import Sequence

from pydantic import Field

from liax.config import Config
from pipelines.outcomes import Segment, Source


class SegmentConfig(Config):
    """How long sources are divided."""

    longest_s: float = Field(default=600.0, ge=1)
    """A longer source is worked on in equal pieces no longer than this. A face that is seen across the border of two
    pieces gives two clips."""


def segments_of(source: Source, config: SegmentConfig, content_id: str) -> list[Segment]:
    """Divide a source into the fewest equal segments that are no longer than a segment may be.

    The borders are whole milliseconds. The last segment has no end: it takes what the header did not announce.

    Args:
        source: a probed source.
        config: the rule.
        content_id: names the run's configuration.
    """
    count = max(1, math.ceil(source.duration_s / config.longest_s - 1e-9))
    borders_ms = [round(source.duration_s * 1000 * index / count) for index in range(count)]
    ends_ms = [*borders_ms[1:], None]
    return [
        Segment(
            id=f"{source.sha256[:16]}-{content_id[:6]}-{start_ms:09d}-{'end' if end_ms is None else f'{end_ms:09d}'}",
            source=source,
            number=number,
            start_s=start_ms / 1000,
            end_s=None if end_ms is None else end_ms / 1000,
        )
        for number, (start_ms, end_ms) in enumerate(zip(borders_ms, ends_ms, strict=True))
    ]


def all_segments(sources: Sequence[Source], config: SegmentConfig, content_id: str) -> list[Segment]:
    """The segments of all sources, in their order."""
    return [segment for source in sources for segment in segments_of(source, config, content_id)]
