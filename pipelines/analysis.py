"""What is known of a segment once it has been looked through: its shots, what was dropped, its face tracks."""

import io
import json
from dataclasses import asdict, dataclass, fields

import numpy as np

from pipelines.shots import Span
from pipelines.tracking import Track


@dataclass(frozen=True, slots=True)
class Analysis:
    """Of one segment.

    Args:
        tracks: every face followed; none crosses the border of a shot or a dropped span.
        dropped: spans that were left out.
        shots: start and end of every shot, in seconds from the source's start.
    """

    tracks: list[Track]
    dropped: list[Span]
    shots: list[tuple[float, float]]


def analysis_to_bytes(analysis: Analysis) -> bytes:
    """Pack an analysis for the way from one stage to the next."""
    buffer = io.BytesIO()
    rest = {"dropped": [asdict(span) for span in analysis.dropped], "shots": analysis.shots}
    arrays = {
        f"{index:05d}.{field.name}": getattr(track, field.name)
        for index, track in enumerate(analysis.tracks)
        for field in fields(Track)
    }
    np.savez(buffer, rest=np.frombuffer(json.dumps(rest).encode(), dtype=np.uint8), **arrays)
    return buffer.getvalue()


def analysis_from_bytes(data: bytes) -> Analysis:
    """Unpack what `analysis_to_bytes` packed."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        rest = json.loads(arrays["rest"].tobytes())
        count = (len(arrays.files) - 1) // len(fields(Track))
        tracks = [Track(*(arrays[f"{index:05d}.{field.name}"] for field in fields(Track))) for index in range(count)]
    dropped = [Span(**span) for span in rest["dropped"]]
    return Analysis(tracks, dropped, [(start_s, end_s) for start_s, end_s in rest["shots"]])
