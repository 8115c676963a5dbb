"""A stand-in for a model, whose directions do what was planted: for tests of what measures directions, and for demos.

Behind `liax.inference.rendering.Rendering` are the people of `liax.synthetic.people`, moved by a mesh warp. Codes are
as in LIA-X: z carries who it is, and an orthonormal dictionary Q carries the motion a, so that z + Q a is drawn. What
each coefficient does is written in a table, and can be asked for: `SyntheticAnimator.truth`.

    animator = SyntheticAnimator()
    source = animator.encode([animator.portrait(7)])
    turned_M = np.zeros(animator.directions, dtype=np.float32)
    turned_M[0] = 1.5                                     # direction 0 is yaw, 7 degrees a unit
    (picture,) = animator.decode(animator.navigate(source.z_BD, source.motion_BM + turned_M), source.features)

Shapes: B batch, S side in pixels, C colours, D style width, M directions.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from liax.errors import UserError
from liax.inference.renderer import Encoded
from liax.pictures import Picture
from liax.synthetic.motion import Motion
from liax.synthetic.people import Person, person

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Planted:
    """What one direction does.

    Args:
        name: for people.
        moves: change of each of `Motion`'s fields, or of `light` (of the surroundings), for a coefficient of 1.
        by: the coefficient's value; its magnitude, which does not go one way; or its rise above 0, as of what closes an
            eye and cannot open one, nor undo what closes it otherwise.
        spread: standard deviation of the coefficient in `frames`; 0 for a direction that nothing uses.
    """

    name: str
    moves: Mapping[str, float] = field(default_factory=dict)
    by: Literal["value", "magnitude", "rise"] = "value"
    spread: float = 1.0


PLANTED: tuple[Planted, ...] = (
    Planted("yaw", {"yaw_deg": 7.0}),
    Planted("yaw and smile", {"yaw_deg": 4.2, "smile": 0.45}),
    Planted("left eye closes", {"blink_left": 0.45}, by="rise"),
    Planted("nothing"),
    Planted("up, whichever way", {"pitch_deg": 5.0}, by="magnitude"),
    Planted("mouth", {"mouth_open": 0.45}, by="rise"),
    Planted("pitch", {"pitch_deg": 5.0}),
    Planted("both eyes close", {"blink_left": 0.45, "blink_right": 0.45}, by="rise"),
    Planted("roll", {"roll_deg": 5.0}),
    Planted("to the right", {"x": 0.03}),
    Planted("size", {"scale": 0.05}),
    Planted("surroundings", {"light": 0.1}),
    Planted("unused", {"y": 0.05}, spread=0.0),
)
"""The right eye never closes alone, and nothing raises a brow: such controls are unavailable."""

_RANGES = {
    "blink_left": (0.0, 1.0), "blink_right": (0.0, 1.0), "mouth_open": (0.0, 0.78), "smile": (-2.4, 1.0),
    "scale": (0.6, 1.4), "light": (-0.8, 0.8),
}  # fmt: skip
"""What the mesh can be asked for."""


class SyntheticAnimator:
    """See the module.

    Pictures are known again by their bytes: only those that this animator has drawn, or a copy of it that shares its
    people (`shuffled`, `mixed`, `scrambled`), can be encoded, and a picture from a lossy file cannot.

    Args:
        planted: what the directions do, before `mixing_MM`.
        size_px: side of the pictures.
        mixing_MM: an orthogonal matrix; the planted coefficients are `mixing_MM @ a`. None for the planted ones.
        style_dim: D.
        seed: decides the dictionary.
    """

    device = "cpu"
    batch = 8

    def __init__(
        self,
        planted: Sequence[Planted] = PLANTED,
        size_px: int = 160,
        mixing_MM: NDArray[np.floating] | None = None,
        style_dim: int = 64,
        seed: int = 0,
    ) -> None:
        self.planted, self.size_px, self.directions = tuple(planted), size_px, len(planted)
        self._mixing_MM = np.eye(self.directions) if mixing_MM is None else np.asarray(mixing_MM, dtype=np.float64)
        if not np.allclose(self._mixing_MM @ self._mixing_MM.T, np.eye(self.directions), atol=1e-6):
            raise ValueError(f"mixing_MM must be an orthogonal {self.directions}x{self.directions} matrix")
        if style_dim <= self.directions:
            raise ValueError(f"style_dim={style_dim} has no room for an identity beside {self.directions} directions")
        random = np.random.default_rng([seed, 21])
        self._dictionary_DM = np.linalg.qr(random.normal(size=(style_dim, self.directions)))[0]
        self._style_dim, self._seed = style_dim, seed
        self._scrambled: int | None = None
        self._person = cache(lambda number: person(number, size_px))
        self._known: dict[bytes, tuple[int, NDArray[np.float64]]] = {}

    # --- what a renderer does

    def encode(self, pictures: Sequence[Picture]) -> Encoded:
        """See `Rendering.encode`. Raises UserError for a picture that it has not drawn."""
        numbers = [self._recognised(picture)[0] for picture in pictures]
        z_BD = np.stack([self._identity(number) for number in numbers])
        features = [torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1)]
        return Encoded(torch.from_numpy(z_BD.astype(np.float32)), self.motion(pictures), features)

    def motion(self, pictures: Sequence[Picture]) -> Tensor:
        """See `Rendering.motion`. Raises UserError for a picture that it has not drawn."""
        known = [self._recognised(picture) for picture in pictures]
        codes_BM = np.stack([planted_M @ self._mixing(number) for number, planted_M in known])
        return torch.from_numpy(codes_BM.astype(np.float32))

    def navigate(
        self, z_BD: Tensor, a_BM: Tensor, start_BM: Tensor | None = None, source_BM: Tensor | None = None
    ) -> Tensor:
        """See `Rendering.navigate`."""
        if start_BM is not None:
            a_BM = a_BM - start_BM
        if source_BM is not None:
            a_BM = a_BM + source_BM
        return z_BD + a_BM @ torch.from_numpy(self._dictionary_DM.T.astype(np.float32))

    def decode(self, z_BD: Tensor, features: Sequence[Tensor]) -> list[Picture]:
        """See `Rendering.decode`."""
        codes_BM = z_BD.double().numpy() @ self._dictionary_DM
        number_B = features[0].flatten().expand(len(z_BD)) if len(features[0]) == 1 else features[0].flatten()
        return [self.picture(round(float(number)), codes_M) for number, codes_M in zip(number_B, codes_BM, strict=True)]

    # --- what is known of it

    def portrait(self, number: int) -> Picture:
        """Person `number`, whose coefficients are all 0: uint8 S×S×C."""
        return self.picture(number, np.zeros(self.directions))

    def picture(self, number: int, codes_M: NDArray[np.floating]) -> Picture:
        """Person `number` with these coefficients, uint8 S×S×C; it can be encoded from now on."""
        # Rounded: float32 codes are no more exact, and what has not moved must be the same picture.
        planted_M = np.round(self._mixing(number) @ np.asarray(codes_M, dtype=np.float64), 5)
        motion, light = self._shown(self._person(number), planted_M)
        drawn_HWC = self._draw(self._person(number), motion, light)
        # A picture that two codes give, as a direction that does nothing makes them, is known by the first.
        self._known.setdefault(_hash(drawn_HWC), (number, planted_M))
        return drawn_HWC

    def codes(self, number: int, count: int, seed: int = 0) -> Floats:
        """Coefficients F×M of person `number`, as in frames: independent and normal with the planted spread."""
        random = np.random.default_rng([number, seed, 22])
        spread_M = np.array([one.spread for one in self.planted])
        planted_FM = random.normal(size=(count, self.directions)) * spread_M
        return (planted_FM @ self._mixing(number)).astype(np.float32)

    def frames(self, number: int, count: int, seed: int = 0) -> tuple[Floats, list[Picture]]:
        """`codes`, and person `number` so moved."""
        codes_FM = self.codes(number, count, seed)
        return codes_FM, [self.picture(number, codes_M) for codes_M in codes_FM]

    def truth(self, picture_HWC: Picture) -> tuple[Person, Motion, float]:
        """Who is in a picture, in which motion, in which light. Raises UserError for one that it has not drawn."""
        number, planted_M = self._recognised(picture_HWC)
        return self._person(number), *self._shown(self._person(number), planted_M)

    def shuffled(self, seed: int) -> "SyntheticAnimator":
        """The same model with its directions in another order, some of them turned round: a[i] is now ±a[order[i]]."""
        random = np.random.default_rng([seed, 23])
        mixing_MM = np.zeros((self.directions, self.directions))
        mixing_MM[random.permutation(self.directions), np.arange(self.directions)] = random.choice(
            [-1, 1], self.directions
        )
        return self._copy(mixing_MM)

    def mixed(self, seed: int) -> "SyntheticAnimator":
        """The same motions in another basis: each direction does a little of everything, the same to everybody."""
        return self._copy(self._rotation(seed, 24))

    def scrambled(self, seed: int) -> "SyntheticAnimator":
        """A random dictionary: each direction does a little of everything, and something else to each person."""
        copy = self._copy(np.eye(self.directions))
        copy._scrambled = seed
        return copy

    def _copy(self, mixing_MM: NDArray[np.float64]) -> "SyntheticAnimator":
        copy = type(self)(self.planted, self.size_px, self._mixing_MM @ mixing_MM, self._style_dim, self._seed + 1)
        copy._person, copy._known = self._person, self._known
        return copy

    def _draw(self, who: Person, motion: Motion, light: float) -> Picture:
        return who.draw(motion, light)

    def _mixing(self, number: int) -> NDArray[np.float64]:
        """What makes planted coefficients of person `number`'s: M×M."""
        if self._scrambled is None:
            return self._mixing_MM
        return self._mixing_MM @ self._rotation(self._scrambled, 26, number)

    def _rotation(self, *seeds: int) -> NDArray[np.float64]:
        random = np.random.default_rng(seeds)
        return np.asarray(np.linalg.qr(random.normal(size=(self.directions, self.directions)))[0])

    def _shown(self, who: Person, planted_M: NDArray[np.float64]) -> tuple[Motion, float]:
        """The motion and light of a person with these planted coefficients."""
        values = {**asdict(who.rest), "light": 0.0}
        for one, coefficient in zip(self.planted, planted_M, strict=True):
            size = {"value": coefficient, "magnitude": abs(coefficient), "rise": max(coefficient, 0)}[one.by]
            for name, change in one.moves.items():
                values[name] += change * size
        for name, (low, high) in _RANGES.items():
            values[name] = min(max(values[name], low), high)
        light = float(values.pop("light"))
        return Motion(**{name: float(value) for name, value in values.items()}), light

    def _recognised(self, picture_HWC: Picture) -> tuple[int, NDArray[np.float64]]:
        """Who is in a picture, and the planted coefficients."""
        known = self._known.get(_hash(picture_HWC))
        if known is None:
            raise UserError("the synthetic animator knows only pictures that it has drawn: give one of its portraits")
        return known

    def _identity(self, number: int) -> NDArray[np.float64]:
        """Person `number`'s code D, without any motion: of length 1, at right angles to the dictionary."""
        code_D = np.random.default_rng([number, 25]).normal(size=self._style_dim)
        code_D = code_D - self._dictionary_DM @ (self._dictionary_DM.T @ code_D)
        return code_D / np.linalg.norm(code_D)


def _hash(picture_HWC: Picture) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(picture_HWC).tobytes()).digest()
