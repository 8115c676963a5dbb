"""Real videos, without Ray: one track for every face and shot."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from liax.face import FaceFinder
from pipelines.analysis import Analysis
from pipelines.faces import find_tracks
from pipelines.shots import ShotsConfig
from pipelines.tracking import FacesConfig


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as opened:
        yield opened


def analysed(corpus: Path, name: str, finder: FaceFinder, end_s: float | None = None) -> Analysis:
    return find_tracks(corpus / "videos" / name, 0.0, end_s, finder, FacesConfig(), ShotsConfig())


@pytest.mark.parametrize(
    ("name", "faces"),
    [("v001.mp4", 3), ("v006.mp4", 2), ("v013.mp4", 1), ("v023.mp4", 1), ("v030.mp4", 1), ("v043.mp4", 1)],
)
def test_one_track_a_face_over_the_whole_shot(corpus: Path, finder: FaceFinder, name: str, faces: int) -> None:
    found = analysed(corpus, name, finder, end_s=5.0)
    assert len(found.shots) == 1
    assert found.dropped == []
    assert len(found.tracks) == faces
    (start_s, end_s) = found.shots[0]
    for track in found.tracks:
        assert track.face_px > FacesConfig().least_face_px
        assert track.times_s[0] == start_s
        assert end_s - track.times_s[-1] < 0.2
        assert np.nanmax(track.agreement_K) < 0.02


@pytest.mark.parametrize("name", ["v012.mp4", "v019.mp4", "v035.mp4"])
def test_what_is_no_usable_face_is_small(corpus: Path, finder: FaceFinder, name: str) -> None:
    found = analysed(corpus, name, finder)
    assert all(track.face_px < FacesConfig().least_face_px for track in found.tracks)


def test_a_jump_cut_divides_the_track(corpus: Path, finder: FaceFinder) -> None:
    """At 11.12 s the camera stays and the person jumps."""
    path = corpus / "videos" / "v041.mp4"
    found = find_tracks(path, 10.0, 13.0, finder, FacesConfig(), ShotsConfig())
    assert [(round(start_s, 1), round(end_s, 1)) for start_s, end_s in found.shots] == [(10.0, 11.1), (11.2, 13.0)]
    assert len(found.tracks) == 2
    assert found.tracks[0].times_s[-1] < 11.12 <= found.tracks[1].times_s[0]


def test_the_same_segment_gives_the_same_numbers(corpus: Path, finder: FaceFinder) -> None:
    one, other = (analysed(corpus, "v006.mp4", finder, end_s=2.0) for _ in range(2))
    for before, after in zip(one.tracks, other.tracks, strict=True):
        np.testing.assert_array_equal(before.landmarks_KN3, after.landmarks_KN3)
        np.testing.assert_array_equal(before.times_s, after.times_s)
