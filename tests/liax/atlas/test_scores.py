"""A dictionary in few numbers."""

import json
from dataclasses import replace

import numpy as np
import pytest

from liax.atlas.effects import effects
from liax.atlas.scores import interventional
from tests.liax.atlas.planted import alone, effect, linear, response, spread


def test_a_dictionary_of_pure_directions() -> None:
    moves = ({"yaw": 8.0}, {"pitch": 5.0}, {"jawOpen": 0.1}, {})
    found = interventional(effects(response(alone(4), linear(effect(*moves)), noise=0.001), spread(4)))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["directions"], found["moving"]) == (4, 3)
    assert found["selectivity"] == pytest.approx(1, abs=0.01)
    assert found["monotone"] == found["detected"] == 1
    assert found["linearity"] > 0.99
    assert found["path_length"] == pytest.approx(0.01, rel=1e-3)
    assert found["drift"] is None  # nothing compared faces
    assert found["strongest"] == {"yaw": 1, "pitch": 1, "mouth_open": 1}


def test_a_dictionary_that_moves_nothing() -> None:
    still = effects(response(alone(2), linear(effect({}, {}))), spread(2))
    found = interventional(replace(still, path_length_P=np.full(2, np.nan)))
    assert found["moving"] == 0
    assert found["strongest"] == {}
    assert all(found[name] is None for name in ("selectivity", "linearity", "monotone", "path_length", "detected"))
