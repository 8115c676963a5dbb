"""What moving all directions says of a dictionary as a whole, in a few numbers that models can be compared by.

Shapes: P paths (the directions alone).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from liax.atlas.effects import MONOTONE, Effects


def interventional(effects: Effects) -> dict[str, Any]:
    """The directions in numbers, as JSON holds them. All but the counts are of directions that move something clearly.

    Returns:
        directions, moving: how many there are, and how many move a control clearly.
        selectivity, linearity, drift, off_face, detected: medians; linearity of each direction's strongest control.
        monotone: share of them whose strongest control rises or falls throughout.
        path_length: mean perceptual path length.
        strongest: by control, how many directions move it most.
        None where nothing moves, or there was no network to measure it.
    """
    moving_P = effects.moves_P
    strongest_P = effects.strongest_P[moving_P]

    def of_strongest(values_PC: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.take_along_axis(values_PC[moving_P], strongest_P[:, None], axis=1)[:, 0]

    rising_P = of_strongest(effects.monotonicity_PC)
    names, counts = np.unique([effects.controls[place] for place in strongest_P], return_counts=True)
    return {
        "directions": len(effects.paths),
        "moving": int(moving_P.sum()),
        "selectivity": _median(effects.selectivity_P[moving_P]),
        "linearity": _median(of_strongest(effects.linearity_PC)),
        "monotone": float((rising_P >= MONOTONE).mean()) if len(rising_P) else None,
        "drift": _median(effects.drift_P[moving_P]),
        "off_face": _median(effects.off_face_P[moving_P]),
        "detected": _median(effects.detected_P[moving_P]),
        "path_length": _mean(effects.path_length_P[moving_P]),
        "strongest": {str(name): int(count) for name, count in zip(names, counts, strict=True)},
    }


def _median(values_P: NDArray[np.float64]) -> float | None:
    found_P = values_P[np.isfinite(values_P)]
    return float(np.median(found_P)) if len(found_P) else None


def _mean(values_P: NDArray[np.float64]) -> float | None:
    found_P = values_P[np.isfinite(values_P)]
    return float(found_P.mean()) if len(found_P) else None
