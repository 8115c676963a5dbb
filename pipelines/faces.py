"""Stage 5, faces: every face of a segment, followed over time (1 segment → 1 row with its tracks; no pictures)."""

import math
import time
from pathlib import Path
from typing import Any

from liax.errors import VideoError
from liax.face import FaceFinder
from liax.video.decode import Ticks, decoded, limited, thumbnail, to_rgb
from liax.video.probe import probe
from liax.video.remux import open_source
from pipelines.analysis import Analysis, analysis_to_bytes
from pipelines.config import PreprocessConfig
from pipelines.contained import Contained, GivenUp
from pipelines.face_search import FaceSearcher
from pipelines.outcomes import Segment
from pipelines.probing import source_file
from pipelines.shots import THUMBNAIL_PX, ShotFinder, ShotsConfig
from pipelines.tracking import FacesConfig, Linker

FRAMES_TO_SPARE = 2.5
"""Frames that no other needs are not decoded where a video has this many times the frames that are sampled: of a file
with B-frames about every second frame is left, of some every third or fourth."""

MOST_STEPS_APART = 1.5
"""If what is left is anywhere further apart than this many steps of the sampling, every frame is decoded after all: of
files with many B-frames in a row only every eighth frame may be left."""


def find_tracks(
    path: Path,
    start_s: float,
    end_s: float | None,
    finder: FaceFinder,
    faces: FacesConfig,
    shots: ShotsConfig,
) -> Analysis:
    """Follow every face of a segment, in pixels of its full upright picture, and find its shots, in one decoding.

    Raises:
        VideoError: the video cannot be decoded.
    """
    if float(probe(path).fps) >= FRAMES_TO_SPARE * faces.rate_fps:
        found = _look(path, start_s, end_s, finder, faces, shots, most_apart_s=MOST_STEPS_APART / faces.rate_fps)
        if found is not None:
            return found
    found = _look(path, start_s, end_s, finder, faces, shots, most_apart_s=None)
    assert found is not None
    return found


def _look(
    path: Path,
    start_s: float,
    end_s: float | None,
    finder: FaceFinder,
    faces: FacesConfig,
    shots: ShotsConfig,
    most_apart_s: float | None,
) -> Analysis | None:
    """One decoding.

    Args:
        path, start_s, end_s, finder, faces, shots: as for `find_tracks`.
        most_apart_s: leave out frames that no other needs, and return None if what is left is further apart than this
            anywhere; None decodes every frame.
    """
    shot_finder, linker, search = ShotFinder(shots), Linker(faces), FaceSearcher(finder, faces)
    ticks, look_round, size_px, full_px = Ticks(faces.rate_fps, start_s), True, None, None
    sparse, before_s = most_apart_s is not None, math.inf
    for time_s, frame, shown_px in decoded(path, start=start_s, end=end_s, skip_unreferenced=sparse):
        if most_apart_s is not None and time_s - before_s > most_apart_s:
            return None
        before_s = time_s
        look_round |= shot_finder.see(time_s, thumbnail(frame, THUMBNAIL_PX))
        if not ticks.due(time_s):
            continue
        full_px = full_px or shown_px
        size_px = size_px or limited(full_px, faces.longest_side_px)
        scale = full_px[0] / size_px[0]
        linker.add(time_s, search.sample(time_s, to_rgb(frame, *size_px), linker.last_seen(time_s), scale, look_round))
        look_round = False
    dropped, found_shots = shot_finder.dropped(), shot_finder.shots()
    begins_s = [begin_s for begin_s, _ in found_shots[1:]]
    tracks = linker.tracks(begins_s, [(span.start_s, span.end_s) for span in dropped])
    return Analysis(tracks, dropped, found_shots)


class SegmentSearch:
    """The work in the child process: the face model is loaded once."""

    def __init__(self, config: PreprocessConfig) -> None:
        import cv2

        cv2.setNumThreads(1)
        faces = config.faces
        self._config = config
        self._finder = FaceFinder(faces.most_faces, faces.least_confidence, faces.weights)

    def __call__(self, segment: Segment) -> bytes:
        config = self._config
        limit_s = config.work.time_limit_s(segment.source.duration_s)
        with source_file(segment.source.uri) as given, open_source(given, limit_s) as path:
            found = find_tracks(path, segment.start_s, segment.end_s, self._finder, config.faces, config.shots)
        return analysis_to_bytes(found)


class FindFaces:
    """The stage for Ray Data, an actor: adds `analysis` or else `reason` and `detail`, and `attempts`."""

    def __init__(self, config: PreprocessConfig) -> None:
        self._work = config.work
        self._contained = Contained(SegmentSearch, (config,), config.work.attempts)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        started = time.monotonic()
        segment = Segment.model_validate_json(row["segment"])
        found = {"analysis": b"", "reason": "", "detail": ""}
        try:
            found["analysis"] = self._contained(segment, time_limit_s=self._work.time_limit_s(segment.length_s))
        except (VideoError, GivenUp) as error:
            found |= {"reason": error.reason, "detail": error.detail}
        return row | found | {"attempts": self._contained.attempts, "faces_s": time.monotonic() - started}
