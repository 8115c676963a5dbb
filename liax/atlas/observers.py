"""Everything that looks at a picture for the atlas: MediaPipe, a network that compares faces, and a second observer.

Shapes: A attributes (`liax.attributes`), B those of the second observer, D values of an embedding, K corners.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from liax.atlas.second import SECOND_ATTRIBUTES, SecondObserver
from liax.attributes import ATTRIBUTES, attributes_of
from liax.face import Box, FaceFinder
from liax.identity import Embedder
from liax.pictures import Picture

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen in one picture.

    Args:
        attributes_A: NaN where there is no face.
        second_B: the second observer's; NaN where there is no face, or no such observer.
        embedding_D: of length 1; None where there is no face, or no embedder.
        box_px: of the face's landmarks; None where there is no face.
        hull_K2: the convex hull of the landmarks, in pixels; None where there is no face.
    """

    attributes_A: Floats
    second_B: Floats
    embedding_D: Floats | None = None
    box_px: Box | None = None
    hull_K2: Floats | None = None

    @property
    def found(self) -> bool:
        """Whether there is a face."""
        return self.box_px is not None


class Observing(Protocol):
    """What `liax.atlas.trace` needs of observers."""

    @property
    def second_attributes(self) -> tuple[str, ...]:
        """What the second observer's values are called."""
        ...

    def see(self, picture_HWC: Picture) -> Sighting:
        """What is seen in a square picture, uint8 RGB."""
        ...


class Observers:
    """All observers of a picture. Not to be shared between threads or inherited by a forked process; to be closed.

    Args:
        finder: which it takes over and closes; made for one face.
        embedder: None where there is none.
        second: None where there is none.
    """

    second_attributes: tuple[str, ...] = SECOND_ATTRIBUTES

    def __init__(
        self, finder: FaceFinder, embedder: Embedder | None = None, second: SecondObserver | None = None
    ) -> None:
        self._finder, self._embedder, self._second = finder, embedder, second

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def names(self) -> dict[str, str]:
        """Who observes what: `face`, and `identity` and `second` where there is one."""
        found = {"face": "MediaPipe face landmarker"}
        if self._embedder is not None:
            found["identity"] = self._embedder.name
        if self._second is not None:
            found["second"] = self._second.name
        return found

    def see(self, picture_HWC: Picture) -> Sighting:
        """What the largest face of a square picture, uint8 RGB, shows."""
        faces = self._finder.find(picture_HWC)
        if not faces:
            return nothing_seen(len(SECOND_ATTRIBUTES))
        face = faces[0]
        second_B = np.full(len(SECOND_ATTRIBUTES), np.nan, dtype=np.float32)
        if self._second is not None:
            second_B = self._second.see(picture_HWC, face.box_px)
        embedder = self._embedder
        return Sighting(
            attributes_A=attributes_of(face, picture_HWC.shape[0]),
            second_B=second_B,
            embedding_D=None if embedder is None else embedder.embed(picture_HWC, face.landmarks_N3),
            box_px=face.box_px,
            hull_K2=np.asarray(cv2.convexHull(face.landmarks_N3[:, :2].copy())[:, 0], dtype=np.float32),
        )

    def close(self) -> None:
        """Free the finder: MediaPipe cannot do so itself once the interpreter is ending."""
        self._finder.close()


def nothing_seen(second_attributes: int) -> Sighting:
    """A picture without a face, where the second observer has so many attributes."""
    return Sighting(
        attributes_A=np.full(len(ATTRIBUTES), np.nan, dtype=np.float32),
        second_B=np.full(second_attributes, np.nan, dtype=np.float32),
    )
