import json

import numpy as np
import pytest

from liax.errors import UserError
from liax.sample import FaceArrays, Sample, SampleInfo
from tests.samples import make_sample


def same(a: FaceArrays, b: FaceArrays) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in FaceArrays.__slots__)


def test_members_are_read_back() -> None:
    sample = make_sample("abc")
    members = sample.members()
    assert list(members) == sorted(members) == ["json", "mp4", "npz"]
    assert SampleInfo.from_bytes(members["json"]) == sample.info
    assert members["mp4"] == sample.video
    assert same(FaceArrays.from_bytes(members["npz"]), sample.faces)


def test_the_same_sample_gives_the_same_bytes() -> None:
    assert make_sample("abc").members() == make_sample("abc").members()


def test_an_unknown_field_is_refused() -> None:
    sample: Sample = make_sample("abc")
    values = json.loads(sample.members()["json"]) | {"surprise": 1}
    with pytest.raises(UserError, match="unknown configuration key 'surprise'"):
        SampleInfo.from_bytes(json.dumps(values).encode())
