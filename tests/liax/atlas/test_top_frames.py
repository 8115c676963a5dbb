"""Frames with the least and the most of a direction, each person once at each end."""

import numpy as np

from liax.atlas.observed import Observed
from liax.atlas.top_frames import top_frames
from liax.attributes import ATTRIBUTES


def observed(codes: list[float], people: list[str]) -> Observed:
    count = len(codes)
    return Observed(
        codes_FM=np.array(codes, dtype=np.float32)[:, None],
        attributes_FA=np.zeros((count, len(ATTRIBUTES)), dtype=np.float32),
        person_F=np.array(people),
        clip_F=np.array(people),
        frame_F=np.arange(count),
    )


def test_the_ends_are_shown_in_order_and_each_person_once_at_each() -> None:
    given = observed([0.0, 5.0, 4.0, -3.0, -2.0, 3.0, -1.0], ["a", "b", "b", "c", "c", "d", "b"])
    chosen = top_frames(given, 0, 4)
    assert [float(given.codes_FM[place, 0]) for place in chosen] == [-3.0, -1.0, 3.0, 5.0]


def test_few_frames_are_not_shown_twice() -> None:
    assert top_frames(observed([1.0, 2.0], ["a", "b"]), 0, 6) == [0, 1]
    assert top_frames(observed([1.0], ["a"]), 0, 2) == [0]


def test_a_direction_that_stands_still_has_frames_all_the_same() -> None:
    chosen = top_frames(observed([0.0] * 6, list("abcdef")), 0, 4)
    assert len(set(chosen)) == 4
