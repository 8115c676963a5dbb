"""What moving along paths through the dictionary does to people's faces: the tensor that everything else is made of.

A path is a direction of the dictionary, or a combination of several; a level is how far one goes along it.

Shapes: N people, P paths, M directions, L levels, A attributes (`liax.attributes`), B those of the second observer.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liax.atlas.npz import from_npz, to_npz

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Path:
    """A way through the dictionary.

    Args:
        name: `0`, `1`, … for a direction alone, a control's name for a combination.
        unit_M: δ for a coefficient of 1.
        levels_L: coefficients, ascending, with 0 among them.
    """

    name: str
    unit_M: Floats
    levels_L: Floats


@dataclass(frozen=True, slots=True)
class Traced:
    """What one path did to one person. A picture without a face has NaN where a face is needed.

    Args:
        values_LA: attributes.
        second_LB: the second observer's.
        similarity_L: cosine of the face's embedding to that of the unmoved face; NaN without an embedder.
        off_face_L: mean absolute difference, in [0, 1], to the unmoved picture where neither shows the face.
        steps_K: K = L - 1 perceptual distances from level to level; NaN where no network measures them.
        render_s, observe_s: where the time went, but for the unmoved picture's, which a person's paths share.
    """

    values_LA: Floats
    second_LB: Floats
    similarity_L: Floats
    off_face_L: Floats
    steps_K: Floats
    render_s: float
    observe_s: float


@dataclass(frozen=True, slots=True)
class Response:
    """What all paths did to all people; NaN as in `Traced`."""

    people: tuple[str, ...]
    paths: tuple[str, ...]
    attributes: tuple[str, ...]
    second_attributes: tuple[str, ...]
    unit_PM: Floats
    levels_PL: Floats
    values_NPLA: Floats
    second_NPLB: Floats
    similarity_NPL: Floats
    off_face_NPL: Floats
    steps_NPK: Floats

    @property
    def detected_NPL(self) -> NDArray[np.bool_]:
        """Whether a face was found."""
        return ~np.isnan(self.values_NPLA[..., 0])

    @property
    def zero_P(self) -> NDArray[np.intp]:
        """Each path's level that moves nothing."""
        return np.abs(self.levels_PL).argmin(axis=1)

    @property
    def changes_NPLA(self) -> Floats:
        """Attributes less those of the unmoved picture."""
        unmoved_NPA = np.take_along_axis(self.values_NPLA, self.zero_P[None, :, None, None], axis=2)
        return self.values_NPLA - unmoved_NPA

    def of_people(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Response":
        """The same with some people only."""
        kept: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        kept |= {name: value[chosen] for name, value in kept.items() if name.split("_")[-1].startswith("N")}
        return Response(**{**kept, "people": tuple(np.array(self.people, dtype=object)[chosen])})

    def to_npz(self) -> bytes:
        """As a file."""
        return to_npz(self)

    @staticmethod
    def from_npz(data: bytes, name: str) -> "Response":
        """The tensor in a file. Raises UserError where it is no such file."""
        found = from_npz(Response, data, name, "response.npz")
        texts = ("people", "paths", "attributes", "second_attributes")
        return Response(**found | {key: tuple(map(str, found[key])) for key in texts})


def stack(
    people: tuple[str, ...],
    paths: tuple[Path, ...],
    attributes: tuple[str, ...],
    second_attributes: tuple[str, ...],
    traced: list[list[Traced]],
) -> Response:
    """The tensor of `traced[person][path]`."""

    def together(name: str) -> Floats:
        return np.stack([np.stack([getattr(one, name) for one in row]) for row in traced]).astype(np.float32)

    return Response(
        people=people,
        paths=tuple(path.name for path in paths),
        attributes=attributes,
        second_attributes=second_attributes,
        unit_PM=np.stack([path.unit_M for path in paths]).astype(np.float32),
        levels_PL=np.stack([path.levels_L for path in paths]).astype(np.float32),
        values_NPLA=together("values_LA"),
        second_NPLB=together("second_LB"),
        similarity_NPL=together("similarity_L"),
        off_face_NPL=together("off_face_L"),
        steps_NPK=together("steps_K"),
    )
