"""From paths of single directions to certified controls: people are moved along each direction, controls are made of
what that did to some of them, people are moved along the controls, and these are held to it on the others.

Whoever moves them is given: the job's workers, or in tests a model whose truth is known.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from liax.atlas.calibrate import MOST_DRIFT, certify
from liax.atlas.effects import Spread
from liax.atlas.fit import combine
from liax.atlas.people import fitted_on
from liax.atlas.response import Path, Response
from liax.controls_file import MeasuredControl

Tracer = Callable[[Sequence[Path], str], Response]
"""What paths do to all people, who are the same at each call; the text says what is done, for messages."""


@dataclass(frozen=True, slots=True)
class Interventions:
    """What was done, what it did, and the controls that came of it.

    Args:
        paths, directions: each direction alone, and what it did to all people.
        combined, moved: the controls' paths, and what they did to all people; None where there are none.
        controls: all of them, those that cannot be used too.
    """

    paths: Sequence[Path]
    directions: Response
    combined: dict[str, Path]
    moved: Response | None
    controls: dict[str, MeasuredControl]


def intervene(trace: Tracer, paths: Sequence[Path], spread: Spread, most_drift: float = MOST_DRIFT) -> Interventions:
    """Controls are made by what is seen on the people that `fitted_on` names, and certified on the others.

    Args:
        paths: of each direction alone.
        spread: of the same model's held-out frames.
        most_drift: see `liax.atlas.calibrate.MOST_DRIFT`.
    """
    directions = trace(paths, "trace directions")
    fit_N = fitted_on(len(directions.people))
    combined = combine(directions.of_people(fit_N), spread)
    if not combined:
        return Interventions(paths, directions, combined, None, certify(None, None, spread, most_drift))
    moved = trace(list(combined.values()), "trace controls")
    controls = certify(moved.of_people(fit_N), moved.of_people(~fit_N), spread, most_drift)
    return Interventions(paths, directions, combined, moved, controls)
