"""What is shown of an atlas: everything that plots and page are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from liax.atlas.atoms import Atom
from liax.atlas.effects import Spread
from liax.atlas.observed import Observed
from liax.atlas.response import Response
from liax.controls_file import ControlsFile


@dataclass(frozen=True, slots=True)
class Shown:
    """One atlas.

    Args:
        model: as it was given.
        command: that makes the same again.
        atoms: the directions, in their order.
        directions: what they did, alone.
        observed: held-out frames.
        spread: the units of comparisons.
        controls: the measured controls.
        controls_response: what their paths did; None where none was traced.
        scores: what there is of `passive` (see `liax.atlas.statistics`), `observational` (see that module),
            `interventional` (`liax.atlas.scores`), `stability` (`liax.atlas.stability.Match.to_json`, by the other
            atlas); `unavailable`, observers that are missing, and why; `left_out`, counts by kind and reason.
        pictures: JPEG: `directions/NUMBER` and `controls/NAME` strips, `frames/NUMBER` the frames where a direction's
            coefficient is lowest and highest; what is not there is not shown.
    """

    model: str
    command: str
    atoms: list[Atom]
    directions: Response
    observed: Observed
    spread: Spread
    controls: ControlsFile
    controls_response: Response | None
    scores: Mapping[str, Any]
    pictures: Mapping[str, bytes] = field(default_factory=dict)
