"""Stage 5, clips: crop, cut and encode, score and recognise in one stage, where the files are (1 segment → 1 record).

The clips go to `work/clips`; the segment's completion record, written after them, makes them count.
"""

import time
from typing import Any

import numpy as np

from liax import storage
from liax.errors import VideoError
from liax.identity import Embedder
from liax.video.remux import open_source
from pipelines.analysis import Analysis, analysis_from_bytes
from pipelines.clip_maker import ClipMaker
from pipelines.config import PreprocessConfig
from pipelines.contained import Contained, GivenUp
from pipelines.identities import make_embedder
from pipelines.outcomes import Segment, SegmentRecord, rejected
from pipelines.probing import source_file
from pipelines.run import Run


def make_clips(
    run: Run, config: PreprocessConfig, segment: Segment, analysis: Analysis, embedder: Embedder | None = None
) -> SegmentRecord:
    """Make all clips of a segment.

    Args:
        run: where the clips go.
        config: the run's settings.
        segment: what the clips are of.
        analysis: its face tracks, and what was dropped of it.
        embedder: makes faces comparable; None leaves that out.

    Raises:
        VideoError: the source cannot be read.
    """
    with source_file(segment.source.uri) as file, open_source(file, config.clip.time_limit_s) as path:
        maker = ClipMaker(run, config, segment, path, embedder)
        maker.add_analysis(analysis)
    return SegmentRecord(
        segment=segment,
        clips=maker.clips,
        clip_bytes=maker.clip_bytes,
        signatures=maker.signatures,
        outcomes=maker.outcomes,
        seconds={},
    )


class ClipWork:
    """The work in the child process: the network that compares faces is loaded once."""

    def __init__(self, run: Run, config: PreprocessConfig) -> None:
        import cv2

        cv2.setNumThreads(1)
        self._run, self._config = run, config
        self._embedder = make_embedder(config.people)

    def __call__(self, segment: Segment, analysis: bytes) -> SegmentRecord:
        return make_clips(self._run, self._config, segment, analysis_from_bytes(analysis), self._embedder)


class MakeClips:
    """The stage for Ray Data, an actor: makes the clips and writes the segment's completion record."""

    def __init__(self, run: Run, config: PreprocessConfig) -> None:
        self._run, self._work = run, config.work
        self._contained = Contained(ClipWork, (run, config), config.work.attempts)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        started = time.monotonic()
        segment = Segment.model_validate_json(row["segment"])
        if row["reason"]:
            record = _nothing(segment, "faces", row["reason"], row["detail"])
            attempts = row["attempts"]
        else:
            record = self._make(segment, row["analysis"])
            attempts = max(row["attempts"], self._contained.attempts)
        seconds = {"faces": row["faces_s"], "clips": time.monotonic() - started}
        rows = [outcome.model_copy(update={"attempts": attempts}) for outcome in record.outcomes]
        record = record.model_copy(update={"outcomes": rows, "seconds": seconds})
        # Of two drivers at once the first one's record stands: what is planned is planned from one of them.
        storage.create_bytes(self._run.record(segment), record.model_dump_json(indent=1).encode())
        return {"segment": segment.id, "clips": len(record.clips)}

    def _make(self, segment: Segment, analysis: bytes) -> SegmentRecord:
        seen_s = sum(float(np.ptp(track.times_s)) for track in analysis_from_bytes(analysis).tracks)
        try:
            made: SegmentRecord = self._contained(
                segment, analysis, time_limit_s=self._work.time_limit_s(segment.length_s + seen_s)
            )
        except (VideoError, GivenUp) as error:
            return _nothing(segment, "clips", error.reason, error.detail)
        return made


def _nothing(segment: Segment, stage: str, reason: str, detail: str) -> SegmentRecord:
    """The record of a segment that could not be worked on."""
    row = rejected(segment.source, stage, reason, detail, segment.number)
    return SegmentRecord(segment=segment, clips=[], clip_bytes={}, signatures={}, outcomes=[row], seconds={})
