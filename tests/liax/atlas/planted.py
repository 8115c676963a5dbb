"""Responses whose truth is known: each path's change of attributes is planted, people differ a little, nothing is
measured.

Shapes: N people, P paths, M directions, L levels, A attributes, B those of the second observer.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from liax.atlas.effects import Spread
from liax.atlas.response import Path, Response
from liax.attributes import ATTRIBUTES, CONTROLS, readout

A = len(ATTRIBUTES)
SECOND = ("yaw", "eye_left", "eye_right")
SD_A = np.array(
    [{"yaw": 8.0, "pitch": 5.0, "roll": 5.0, "x": 0.02, "y": 0.02, "size": 0.02}.get(n, 0.1) for n in ATTRIBUTES]
)
LEVELS_L = np.linspace(-2.5, 2.5, 9, dtype=np.float32)
BLINK_LEFT, BLINK_RIGHT = {"eyeBlinkLeft": 0.2}, {"eyeBlinkRight": 0.2}

Change = Callable[[np.ndarray], np.ndarray]
"""Of codes (…, M) to changes of attributes (…, A)."""


def spread(directions: int, code_sd: Sequence[float] | None = None) -> Spread:
    """One SD of each code is 1."""
    code_M = np.ones(directions) if code_sd is None else np.array(code_sd, dtype=np.float64)
    control_C = np.sqrt((readout() ** 2) @ SD_A**2)
    return Spread(code_M, SD_A, control_C)


def effect(*moves: Mapping[str, float]) -> np.ndarray:
    """Changes M×A for a coefficient of 1."""
    found_MA = np.zeros((len(moves), A))
    for row, planted in enumerate(moves):
        for name, value in planted.items():
            found_MA[row, ATTRIBUTES.index(name)] = value
    return found_MA


def alone(directions: int, levels_L: np.ndarray = LEVELS_L) -> list[Path]:
    """Each direction by itself."""
    units_MM = np.eye(directions, dtype=np.float32)
    return [Path(str(index), units_MM[index], levels_L) for index in range(directions)]


def response(
    paths: Sequence[Path],
    change: Change,
    people: int = 16,
    gain_sd: float = 0.05,
    noise: float = 0.01,
    seed: int = 0,
    drift: Change | None = None,
) -> Response:
    """What paths do to people.

    Args:
        gain_sd: how much people differ in how far they move.
        noise: of the observer, in SDs of the attributes.
        drift: 1 - similarity by codes; None for no embedder.
    """
    random = np.random.default_rng(seed)
    unit_PM, levels_PL = np.stack([path.unit_M for path in paths]), np.stack([path.levels_L for path in paths])
    codes_PLM = levels_PL[..., None] * unit_PM[:, None]
    shape = (people, *levels_PL.shape)
    gain_N = random.normal(1, gain_sd, people)[:, None, None, None]
    rest_NA = random.normal(0, 1, (people, A)) * SD_A
    noise_NPLA = random.normal(0, noise, (*shape, A)) * SD_A
    values_NPLA = rest_NA[:, None, None] + gain_N * change(codes_PLM) + noise_NPLA
    seen = [ATTRIBUTES.index(name) for name in ("yaw", "eyeBlinkLeft", "eyeBlinkRight")]
    similarity_NPL = np.full(shape, np.nan) if drift is None else np.broadcast_to(1 - drift(codes_PLM), shape)
    return Response(
        people=tuple(f"person-{number}" for number in range(people)),
        paths=tuple(path.name for path in paths),
        attributes=ATTRIBUTES,
        second_attributes=SECOND,
        unit_PM=unit_PM.astype(np.float32),
        levels_PL=levels_PL.astype(np.float32),
        values_NPLA=values_NPLA.astype(np.float32),
        second_NPLB=(values_NPLA[..., seen] * [0.9, -0.3, -0.3]).astype(np.float32),
        similarity_NPL=similarity_NPL.astype(np.float32),
        off_face_NPL=np.full(shape, 0.002, np.float32),
        steps_NPK=np.broadcast_to(0.01 * np.diff(levels_PL) ** 2, (*shape[:2], shape[2] - 1)).astype(np.float32),
    )


def linear(moves_MA: np.ndarray) -> Change:
    """Changes in proportion to codes."""
    return lambda codes: codes @ moves_MA


def halves(found: Response) -> tuple[Response, Response]:
    """Those to fit on and the others."""
    even_N = np.arange(len(found.people)) % 2 == 0
    return found.of_people(even_N), found.of_people(~even_N)


CONTROL_NAMES = tuple(CONTROLS)
