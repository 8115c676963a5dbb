"""Stage 5, faces: every face of a segment, followed over time (1 segment → 1 row with its tracks; no pictures)."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from liax.errors import VideoError
from liax.face import Face, FaceFinder
from liax.video.decode import frames
from liax.video.probe import probe
from pipelines.analysis import Analysis, analysis_to_bytes
from pipelines.config import PreprocessConfig
from pipelines.contained import Contained, GivenUp
from pipelines.outcomes import Segment
from pipelines.probing import source_file
from pipelines.shots import ShotsConfig
from pipelines.tracking import FacesConfig, link_faces


def find_tracks(
    path: Path,
    start_s: float,
    end_s: float | None,
    finder: FaceFinder,
    faces: FacesConfig,
    shots: ShotsConfig,
) -> Analysis:
    """Follow every face of a segment, in pixels of its full upright picture.

    Raises:
        VideoError: the video cannot be decoded.
    """
    info = probe(path)

    def samples() -> Iterator[tuple[float, list[Face]]]:
        for time_s, picture_HWC in frames(
            path, rate_fps=faces.rate_fps, longest_side_px=faces.longest_side_px, start=start_s, end=end_s
        ):
            scale = info.width_px / picture_HWC.shape[1]
            yield time_s, [_scaled(face, scale) for face in finder.find(picture_HWC)]

    return Analysis(link_faces(samples(), faces), [], [])


def _scaled(face: Face, scale: float) -> Face:
    if scale == 1:
        return face
    left, top, right, bottom = (edge * scale for edge in face.box_px)
    return replace(face, landmarks_N3=face.landmarks_N3 * np.float32(scale), box_px=(left, top, right, bottom))


class FaceSearch:
    """The work in the child process: the face model is loaded once."""

    def __init__(self, config: PreprocessConfig) -> None:
        faces = config.faces
        self._config = config
        self._finder = FaceFinder(faces.most_faces, faces.least_confidence, faces.weights)

    def __call__(self, segment: Segment) -> bytes:
        config = self._config
        with source_file(segment.source.uri) as path:
            found = find_tracks(path, segment.start_s, segment.end_s, self._finder, config.faces, config.shots)
        return analysis_to_bytes(found)


class FindFaces:
    """The stage for Ray Data, an actor: adds `analysis`, or `reason`, `detail` and `attempts` when there is none."""

    def __init__(self, config: PreprocessConfig) -> None:
        self._work = config.work
        self._contained = Contained(FaceSearch, (config,), config.work.attempts)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        started = time.monotonic()
        segment = Segment.model_validate_json(row["segment"])
        found = {"analysis": b"", "reason": "", "detail": "", "attempts": 1}
        try:
            found["analysis"] = self._contained(segment, time_limit_s=self._work.time_limit_s(segment.length_s))
        except VideoError as error:
            found |= {"reason": error.reason, "detail": error.detail}
        except GivenUp as error:
            found |= {"reason": error.reason, "detail": error.detail, "attempts": error.attempts}
        return row | found | {"faces_s": time.monotonic() - started}
