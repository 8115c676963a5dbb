"""Linking of faces into tracks, on faces whose identity is known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liax.face import FACE_POINTS, Face, overlap
from pipelines.analysis import Analysis, analysis_from_bytes, analysis_to_bytes
from pipelines.shots import Span
from pipelines.tracking import FacesConfig, Linker, Sighting, Track, link_faces

CONFIG = FacesConfig()


def face(left: float, top: float, side: float = 100.0, mark: float = 0.0) -> Face:
    """A square face; `mark` is its identity, kept in a blendshape."""
    corners = np.array([[left, top, 0], [left + side, top + side, 0]], dtype=np.float32)
    landmarks = np.repeat(corners, FACE_POINTS // 2, axis=0)
    blendshapes = np.full(52, mark, dtype=np.float32)
    return Face(landmarks, (left, top, left + side, top + side), np.zeros(3, dtype=np.float32), blendshapes)


def times(count: int, rate_fps: float = 10.0) -> list[float]:
    return [index / rate_fps for index in range(count)]


def spans(tracks: list[Track]) -> list[tuple[float, float]]:
    return [(round(float(t.times_s[0]), 3), round(float(t.times_s[-1]), 3)) for t in tracks]


def test_three_faces_side_by_side_are_three_whole_tracks() -> None:
    samples = [(t, [face(x + 20 * t, 50, mark=x) for x in (400, 0, 200)]) for t in times(30)]
    tracks = link_faces(samples, CONFIG)
    assert spans(tracks) == [(0.0, 2.9)] * 3
    assert [set(track.blendshapes_KS[:, 0]) for track in tracks] == [{0.0}, {200.0}, {400.0}]
    assert tracks[0].face_px == pytest.approx(100)


def test_a_short_gap_is_bridged_and_a_long_one_ends_the_track() -> None:
    short = [(t, [] if 1.0 <= t < 1.4 else [face(0, 0)]) for t in times(30)]
    assert spans(link_faces(short, CONFIG)) == [(0.0, 2.9)]
    long = [(t, [] if 1.0 <= t < 1.6 else [face(0, 0)]) for t in times(30)]
    assert spans(link_faces(long, CONFIG)) == [(0.0, 0.9), (1.6, 2.9)]


@pytest.mark.parametrize("changed", [face(90, 0), face(0, 0, side=160)], ids=["jump", "zoom"])
def test_a_sudden_change_ends_the_track(changed: Face) -> None:
    samples = [(t, [face(0, 0) if t < 1.0 else changed]) for t in times(20)]
    assert spans(link_faces(samples, CONFIG)) == [(0.0, 0.9), (1.0, 1.9)]


def test_a_face_that_comes_into_the_same_place_does_not_take_over_the_track() -> None:
    """The box of the face that comes overlaps more, but its landmarks lie the other way round."""
    other = face(0, 0, mark=2)
    other = replace(other, landmarks_N3=other.landmarks_N3[::-1].copy())
    samples = [(t, [face(0, 0, mark=1)] if t < 1.0 else [other, face(40, 0, mark=1)]) for t in times(20)]
    tracks = link_faces(samples, CONFIG)
    assert sorted(set(track.blendshapes_KS[:, 0]) for track in tracks) == [{1.0}, {2.0}]


def test_a_slow_walk_and_zoom_keep_the_track() -> None:
    samples = [(t, [face(300 * t, 0, side=100 * 1.1 ** (t * 10))]) for t in times(20)]
    assert len(link_faces(samples, CONFIG)) == 1


def test_a_face_found_twice_counts_once() -> None:
    samples = [(t, [face(0, 0, mark=1), face(5, 5, 95, mark=2)]) for t in times(10)]
    tracks = link_faces(samples, CONFIG)
    assert len(tracks) == 1
    assert set(tracks[0].blendshapes_KS[:, 0]) == {1.0}


def test_no_faces_no_tracks() -> None:
    assert link_faces([(t, []) for t in times(10)], CONFIG) == []
    assert analysis_from_bytes(analysis_to_bytes(Analysis([], [], []))) == Analysis([], [], [])


def test_tracks_survive_the_way_between_stages() -> None:
    tracks = link_faces([(t, [face(0, 0), face(300, 0)]) for t in times(5)], CONFIG)
    sent = Analysis(tracks, [Span(5.0, 7.5, "black")], [(0.0, 8.0)])
    received = analysis_from_bytes(analysis_to_bytes(sent))
    assert (received.dropped, received.shots) == (sent.dropped, sent.shots)
    for before, after in zip(tracks, received.tracks, strict=True):
        np.testing.assert_array_equal(before.times_s, after.times_s)
        np.testing.assert_array_equal(before.landmarks_KN3, after.landmarks_KN3)
        assert after.boxes_K4.dtype == np.float32


def test_no_track_crosses_a_cut_or_a_dropped_span() -> None:
    linker = Linker(CONFIG)
    for time_s in times(40):
        linker.add(time_s, [Sighting(time_s, face(0, 0), agreement=time_s)])
    tracks = linker.tracks(breaks_s=[1.0], dropped_s=[(1.95, 2.25)])
    assert spans(tracks) == [(0.0, 0.9), (1.0, 1.9), (2.3, 3.9)]
    for track in tracks:
        np.testing.assert_allclose(track.agreement_K, track.times_s, atol=1e-6)


places = st.lists(st.tuples(st.floats(0, 600), st.floats(0, 400), st.floats(20, 200)), max_size=4)


@given(st.lists(places, max_size=12), st.randoms(use_true_random=False))
def test_every_face_is_in_one_track_whatever_their_order(pictures: list, random: object) -> None:
    samples = [(t, [face(*place) for place in found]) for t, found in zip(times(len(pictures)), pictures, strict=True)]
    tracks = link_faces(samples, CONFIG)
    boxes = [
        (round(float(time_s), 6), tuple(box))
        for track in tracks
        for time_s, box in zip(track.times_s, track.boxes_K4, strict=True)
    ]
    assert len(boxes) == len(set(boxes))
    assert len(boxes) <= sum(len(found) for found in pictures)
    for time_s, found in samples:
        linked = [box for at, box in boxes if at == round(time_s, 6)]
        # What is missing was found twice: it overlaps a face that is there.
        for one in found:
            assert any(overlap(one.box_px, box) > 0.49 for box in linked)
    shuffled = [(t, random.sample(found, len(found))) for t, found in samples]  # type: ignore[attr-defined]
    assert sorted(spans(link_faces(shuffled, CONFIG))) == sorted(spans(tracks))
