"""Every row is counted at one step, and what went on is what the later rows speak of."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.funnel import SPANS, STEPS, funnel, step_of
from pipelines.outcomes import KEPT, Outcome

ENDS = {
    "videos": [("probe", "unreadable"), ("duplicates", "duplicate")],
    "segments": [("faces", "no_face"), ("clips", "crashed")],
    "tracks": [("faces", "face_too_small"), ("faces", "too_short")],
    "clips": [("clips", KEPT), ("clips", "crop_out_of_frame"), ("quality", "blurred"), ("near_duplicates", "same")],
}


def row(uri: str, end: tuple[str, str], segment: int | None = None, track: int | None = None) -> Outcome:
    stage, reason = end
    return Outcome(source_uri=uri, source_sha256=uri, stage=stage, reason=reason, segment=segment, track=track)


# A video is what became of it: a lost video, or segments; a segment is a loss, or tracks; a track a loss, or parts.
lost_video = st.sampled_from(ENDS["videos"])
track = st.sampled_from(ENDS["tracks"]) | st.lists(st.sampled_from(ENDS["clips"]), min_size=1, max_size=3)
segment = st.sampled_from(ENDS["segments"]) | st.lists(track, min_size=1, max_size=3)
video = lost_video | st.lists(segment, min_size=1, max_size=3)


def rows_of(videos: Sequence[Any]) -> tuple[list[Outcome], dict[str, int]]:
    """The rows of such videos, and how many of each thing there were."""
    rows: list[Outcome] = []
    count = {"videos": len(videos), "segments": 0, "tracks": 0, "parts": 0}
    for v, segments in enumerate(videos):
        if isinstance(segments, tuple):
            rows.append(row(str(v), segments))
            continue
        count["segments"] += len(segments)
        for s, tracks in enumerate(segments):
            rows.append(row(str(v), ("shots", "black"), s))
            if isinstance(tracks, tuple):
                rows.append(row(str(v), tracks, s))
                continue
            count["tracks"] += len(tracks)
            for t, parts in enumerate(tracks):
                ends = [parts] if isinstance(parts, tuple) else parts
                count["parts"] += 0 if isinstance(parts, tuple) else len(parts)
                rows += [row(str(v), end, s, t) for end in ends]
    return rows, count


@given(st.lists(video, min_size=1, max_size=6))
def test_the_counts_are_those_of_what_was_made(videos: list[object]) -> None:
    rows, count = rows_of(videos)
    steps = funnel(count["videos"], count["segments"], rows)
    assert [step.what for step in steps] == list(STEPS)
    assert {step.what: step.came_in for step in steps[:4]} == count
    for step in steps:
        lost = sum(sum(counted.values()) for counted in step.left_out.values())
        assert step.came_in == lost + step.went_on
    assert steps[3].went_on == steps[4].came_in
    assert steps[4].went_on == sum(one.reason == KEPT for one in rows)
    spans = sum(step_of(one) == SPANS for one in rows)
    lost_rows = sum(sum(counted.values()) for step in steps for counted in step.left_out.values())
    assert lost_rows + spans + steps[4].went_on == len(rows)


def test_what_vanished_is_noticed() -> None:
    rows = [row("a", ("clips", KEPT), 0, 0), row("b", ("probe", "unreadable"))]
    funnel(2, 1, rows)
    with pytest.raises(AssertionError, match="videos"):
        funnel(3, 1, rows)
    with pytest.raises(AssertionError, match="segments"):
        funnel(2, 2, rows)
    with pytest.raises(AssertionError, match="tracks"):
        funnel(2, 1, [*rows, row("a", ("faces", "too_short"), 0, 0)])
