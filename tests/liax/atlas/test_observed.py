"""Held-out frames: relative codes, and the file that holds them."""

import numpy as np
import pytest

from liax.atlas.observed import Observed
from liax.errors import UserError


def made() -> Observed:
    return Observed(
        codes_FM=np.array([[3.0, 1.0], [1.0, 1.0], [5.0, 0.0], [6.0, 2.0]], dtype=np.float32),
        attributes_FA=np.full((4, 57), np.nan, dtype=np.float32),
        person_F=np.array(["a", "a", "b", "b"]),
        clip_F=np.array(["1", "1", "2", "2"]),
        frame_F=np.array([9, 2, 0, 4]),
    )


def test_relative_codes_are_less_the_first_frames_of_their_clip() -> None:
    np.testing.assert_array_equal(made().relative_FM, [[2, 0], [0, 0], [0, 0], [1, 2]])


def test_the_file_holds_all_and_has_always_the_same_bytes() -> None:
    given = made()
    data = given.to_npz()
    assert data == made().to_npz()
    found = Observed.from_npz(data, "observed.npz")
    for name in ("codes_FM", "attributes_FA", "person_F", "clip_F", "frame_F"):
        np.testing.assert_array_equal(getattr(found, name), getattr(given, name))


@pytest.mark.parametrize("data", [b"", b"no npz", b"PK\x03\x04"])
def test_another_file_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(UserError, match=r"x\.npz is no observed\.npz of `liax atlas`") as caught:
        Observed.from_npz(data, "x.npz")
    assert "\n" not in str(caught.value)
