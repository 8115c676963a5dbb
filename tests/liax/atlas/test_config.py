"""What an atlas can be told, and what it refuses."""

from typing import Any

import pytest

from liax.atlas.config import AtlasConfig, AtlasNetworksConfig
from liax.config import load_config
from liax.errors import UserError

GIVEN = ["model=m", "shards=s", "output=o"]


def test_the_defaults_are_those_of_the_documentation() -> None:
    config = load_config(AtlasConfig, None, GIVEN)
    assert (config.identities, config.levels, config.split, config.compare) == (32, 9, "val", [])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("levels=8", "levels must be odd"),
        ("strips.levels=4", "an odd number of levels and an even number of frames"),
        ("strips.frames=5", "an odd number of levels and an even number of frames"),
        ("strips.levels=11", "strips.levels=11 are more than levels=9"),
        ("identities=3", "'identities'"),
        ("videos=v", "give shards= or videos=, one of the two"),
        ("frames_per_clp=3", "did you mean 'frames_per_clip'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(given: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        load_config(AtlasConfig, None, [*GIVEN, given])
    assert "\n" not in str(caught.value)


def test_an_evaluation_knows_all_its_networks_but_the_second_observers() -> None:
    given: dict[str, Any] = {"alexnet": "a", "arcface": "b", "dlib": "c", "face_landmarker": "d"}
    found = AtlasNetworksConfig(**given, landmarks68="e").of_evaluation()
    assert found.model_dump(exclude_none=True) == given
