"""How long sources are divided."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pipelines.outcomes import Source
from pipelines.segments import SegmentConfig, all_segments, segments_of

CONTENT_ID = "0123456789ab"


def source(duration_s: float, sha256: str = "ab" * 32) -> Source:
    return Source(uri="/a.mp4", sha256=sha256, duration_s=duration_s)


@given(st.floats(0, 20_000), st.floats(1, 3000))
def test_segments_cover_the_source_without_gap_or_overlap(duration_s: float, longest_s: float) -> None:
    segments = segments_of(source(duration_s), SegmentConfig(longest_s=longest_s), CONTENT_ID)
    assert [segment.number for segment in segments] == list(range(len(segments)))
    assert segments[0].start_s == 0
    assert segments[-1].end_s is None, "the last one takes what the header did not announce"
    for before, after in itertools.pairwise(segments):
        assert before.end_s == after.start_s
    assert all(segment.length_s <= longest_s + 0.002 for segment in segments)
    assert abs(sum(segment.length_s for segment in segments) - duration_s) < 1e-6 * max(1, duration_s)
    assert len({segment.id for segment in segments}) == len(segments)


def test_a_short_source_is_one_segment() -> None:
    (only,) = segments_of(source(599.9), SegmentConfig(), CONTENT_ID)
    assert (only.start_s, only.end_s, only.length_s) == (0, None, 599.9)
    assert len(segments_of(source(600.0), SegmentConfig(), CONTENT_ID)) == 1
    assert len(segments_of(source(5 * 3600.0), SegmentConfig(), CONTENT_ID)) == 30


def test_an_id_names_content_span_and_configuration() -> None:
    config = SegmentConfig(longest_s=10)
    ids = [segment.id for segment in segments_of(source(25), config, CONTENT_ID)]
    assert ids == [segment.id for segment in segments_of(source(25), config, CONTENT_ID)]
    assert not set(ids) & {segment.id for segment in segments_of(source(25), config, "ffffff000000")}
    assert not set(ids) & {segment.id for segment in segments_of(source(25, "cd" * 32), config, CONTENT_ID)}
    assert not set(ids[1:]) & {segment.id for segment in segments_of(source(24), config, CONTENT_ID)}
    both = all_segments([source(25), source(3, "cd" * 32)], config, CONTENT_ID)
    assert [segment.source.sha256[:2] for segment in both] == ["ab", "ab", "ab", "cd"]
