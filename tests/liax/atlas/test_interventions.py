"""Controls are made on the one half of the people and held to it on the other, whoever moves them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from liax.atlas.effects import Spread
from liax.atlas.interventions import intervene
from liax.atlas.people import fitted_on
from liax.atlas.response import Path, Response
from liax.attributes import CONTROLS
from tests.liax.atlas.planted import alone, effect, linear, response, spread

PEOPLE = 16


@dataclass(frozen=True, slots=True)
class Halves:
    """Moves the people that controls are fitted on as one model would, and the others as another.

    Args:
        fit, held_out: what each of the directions does to them.
        asked: what was traced, by what was said of it.
    """

    fit: np.ndarray
    held_out: np.ndarray
    asked: dict[str, list[str]]

    def __call__(self, paths: Sequence[Path], label: str) -> Response:
        self.asked[label] = [path.name for path in paths]
        fit, other = (
            response(paths, linear(moves_MA), people=PEOPLE, gain_sd=0, noise=0.001)
            for moves_MA in (self.fit, self.held_out)
        )
        fit_N = fitted_on(PEOPLE)
        chosen = {
            name: np.where(
                fit_N.reshape(-1, *[1] * (getattr(fit, name).ndim - 1)), getattr(fit, name), getattr(other, name)
            )
            for name in ("values_NPLA", "second_NPLB")
        }
        return replace(fit, **chosen)


def both(fit: np.ndarray, held_out: np.ndarray) -> Halves:
    return Halves(fit, held_out, {})


@pytest.fixture
def spread_of_two() -> Spread:
    return spread(2)


def test_directions_are_traced_and_then_the_controls_made_of_them(spread_of_two: Spread) -> None:
    moves_MA = effect({"yaw": 6}, {"pitch": 4})
    trace, paths = both(moves_MA, moves_MA), alone(2)
    found = intervene(trace, paths, spread_of_two)
    assert trace.asked == {"trace directions": ["0", "1"], "trace controls": list(found.combined)}
    assert found.directions.paths == ("0", "1")
    assert found.moved is not None
    assert set(found.moved.paths) == set(found.combined) == {"yaw", "pitch"}
    assert set(found.controls) == set(CONTROLS)
    yaw = found.controls["yaw"]
    assert yaw.status != "unavailable"
    assert yaw.error is not None
    assert yaw.error < 0.3


def test_controls_are_made_of_what_moves_the_people_to_fit_on(spread_of_two: Spread) -> None:
    trace = both(effect({"yaw": 6}, {}), effect({}, {"yaw": 6}))
    found = intervene(trace, alone(2), spread_of_two)
    assert set(found.controls["yaw"].weights) == {0}


def test_they_are_calibrated_on_those_and_certified_on_the_others(spread_of_two: Spread) -> None:
    found = intervene(both(effect({"yaw": 6}, {}), effect({"yaw": 3}, {})), alone(2), spread_of_two)
    yaw = found.controls["yaw"]
    # One unit of the path turns people to fit on by 6°, so the curve says so; the others turn half as far.
    degrees_per_unit = np.array(yaw.units[-1]) / yaw.coefficients[-1]
    assert degrees_per_unit == pytest.approx(6, rel=0.03)
    assert yaw.error is not None
    assert yaw.error > 1


def test_directions_that_move_nothing_give_no_controls_and_no_second_round(spread_of_two: Spread) -> None:
    trace = both(effect({}, {}), effect({}, {}))
    found = intervene(trace, alone(2), spread_of_two)
    assert list(trace.asked) == ["trace directions"]
    assert found.moved is None
    assert found.combined == {}
    assert {control.status for control in found.controls.values()} == {"unavailable"}
    assert set(found.controls) == set(CONTROLS)
