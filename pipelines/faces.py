"""Stage 4, faces: every face of a source, followed over time (1 source → 1 row with its tracks; no pictures)."""

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
from pipelines.outcomes import Source
from pipelines.probing import source_file
from pipelines.tracking import FacesConfig, Track, link_faces, tracks_to_bytes


def find_tracks(path: Path, finder: FaceFinder, config: FacesConfig) -> list[Track]:
    """Follow every face of a video, in pixels of its full upright picture.

    Raises:
        VideoError: the video cannot be decoded.
    """
    info = probe(path)

    def samples() -> Iterator[tuple[float, list[Face]]]:
        for time_s, picture_HWC in frames(path, rate_fps=config.rate_fps, longest_side_px=config.longest_side_px):
            scale = info.width_px / picture_HWC.shape[1]
            yield time_s, [_scaled(face, scale) for face in finder.find(picture_HWC)]

    return link_faces(samples(), config)


def _scaled(face: Face, scale: float) -> Face:
    if scale == 1:
        return face
    left, top, right, bottom = (edge * scale for edge in face.box_px)
    return replace(face, landmarks_N3=face.landmarks_N3 * np.float32(scale), box_px=(left, top, right, bottom))


class FindFaces:
    """The stage for Ray Data: adds `tracks`, or `reason` and `detail`. An actor: the face model is loaded once."""

    def __init__(self, config: FacesConfig) -> None:
        self._config = config
        self._finder = FaceFinder(config.most_faces, config.least_confidence, config.weights)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        started = time.monotonic()
        source = Source.model_validate_json(row["source"])
        tracks, reason, detail = b"", "", ""
        try:
            with source_file(source.uri) as path:
                tracks = tracks_to_bytes(find_tracks(path, self._finder, self._config))
        except VideoError as error:
            reason, detail = error.reason, error.detail
        spent_s = time.monotonic() - started
        return row | {"tracks": tracks, "reason": reason, "detail": detail, "faces_s": spent_s}
