"""What held-out frames' codes and faces are, unmoved: what the passive and the observational part are made of.

Shapes: F frames, M directions, A attributes (`liax.attributes`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liax.atlas.npz import from_npz, to_npz

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Observed:
    """Frames of many people.

    Args:
        codes_FM: motion coefficients.
        attributes_FA: NaN where there was no face.
        person_F, clip_F: whose frame it is, of which clip (ids).
        frame_F: its number in the clip, from 0.
    """

    codes_FM: Floats
    attributes_FA: Floats
    person_F: NDArray[np.str_]
    clip_F: NDArray[np.str_]
    frame_F: NDArray[np.int64]

    @property
    def relative_FM(self) -> Floats:
        """Codes less that of the clip's first frame here: what relative transfer moves."""
        relative_FM = np.empty_like(self.codes_FM)
        for clip in np.unique(self.clip_F):
            rows = np.flatnonzero(self.clip_F == clip)
            first = rows[np.argmin(self.frame_F[rows])]
            relative_FM[rows] = self.codes_FM[rows] - self.codes_FM[first]
        return relative_FM

    def to_npz(self) -> bytes:
        """As a file."""
        return to_npz(self)

    @staticmethod
    def from_npz(data: bytes, name: str) -> "Observed":
        """The frames in a file. Raises UserError where it is no such file."""
        return Observed(**from_npz(Observed, data, name, "observed.npz"))
