"""Whether two dictionaries, of other seeds or checkpoints, have the same directions, by what these do.

A direction's signature is what one SD of its code does to all attributes, in SDs. Signatures of two dictionaries are
matched one to one, so that the sum of their |cosines| is largest (Hungarian method: Kuhn 1955); order, sign and scale
do not matter. That is held against chance in two ways:

- attributes permuted: in each signature of the one dictionary by itself. Says what signatures of this spikiness reach
  without having anything to do with each other.
- dictionary rotated: by a random rotation of its directions, weighed as they are. The stricter one: the same motions in
  another basis, which is what a model that has no reason to prefer axes would learn.

Shapes: P paths (the directions alone), A attributes, K matches, R repetitions.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from liax.atlas.effects import Spread, effects
from liax.atlas.response import Response

Floats = NDArray[np.float64]

ALIKE = 0.8
"""|Cosine| from which on two directions are the same."""
REPETITIONS = 1000


@dataclass(frozen=True, slots=True)
class Chance:
    """The share of matches that are alike, by chance: its mean, the value that 95 % do not exceed, and p, the share of
    repetitions (this one counted in) that reach what was found."""

    mean: float
    most_95: float
    p: float


@dataclass(frozen=True, slots=True)
class Match:
    """Two dictionaries' directions, matched.

    Args:
        one_K, other_K: their numbers, of each match; the best first.
        cosine_K: of their signatures; below 0 where one points the other way.
        share_alike: how many matches have a |cosine| of at least `ALIKE`, as a share of the moving directions of the
            dictionary that has more of them: what the other lacks has no match. NaN where there are no matches.
        moving: how many directions of either move a control clearly.
        still: how many directions of either move no control clearly; they have no signature and are left out.
        permuted, rotated: see the module; None where there are no matches.
    """

    one_K: tuple[int, ...]
    other_K: tuple[int, ...]
    cosine_K: tuple[float, ...]
    share_alike: float
    moving: tuple[int, int]
    still: tuple[int, int]
    permuted: Chance | None
    rotated: Chance | None

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        chances = {"permuted": self.permuted, "rotated": self.rotated}
        return {
            "share_alike": None if np.isnan(self.share_alike) else self.share_alike,
            "alike": ALIKE,
            "matches": [
                {"one": one, "other": other, "cosine": cosine}
                for one, other, cosine in zip(self.one_K, self.other_K, self.cosine_K, strict=True)
            ],
            "moving": list(self.moving),
            "still": list(self.still),
            "chance": {
                name: None if chance is None else {"mean": chance.mean, "most_95": chance.most_95, "p": chance.p}
                for name, chance in chances.items()
            },
        }


def match(
    one: Response, one_spread: Spread, other: Response, other_spread: Spread, repetitions: int = REPETITIONS
) -> Match:
    """Match two dictionaries by what their directions do.

    Args:
        one, other: of directions alone; people, levels and numbers of directions may differ.
        one_spread, other_spread: of each model's held-out frames. Attributes of both are told in SDs of the first's.
        repetitions: for chance, which is the same every time.
    """
    same_units = replace(one_spread, code_M=other_spread.code_M)
    (numbers, signature_PA), (others, other_PA) = _signatures(one, one_spread), _signatures(other, same_units)
    still = (len(one.paths) - len(numbers), len(other.paths) - len(others))
    if not len(numbers) or not len(others):
        return Match((), (), (), float("nan"), (len(numbers), len(others)), still, None, None)
    cosine_PP = _unit(signature_PA) @ _unit(other_PA).T
    rows, columns = linear_sum_assignment(-np.abs(cosine_PP))
    cosine_K = np.clip(cosine_PP[rows, columns], -1, 1)
    order = np.argsort(-np.abs(cosine_K).round(9), kind="stable")
    alike = _share_alike(cosine_PP)
    random = np.random.default_rng(0)

    def permuted() -> Floats:
        return random.permuted(other_PA, axis=1)

    def rotated() -> Floats:
        rotation_PP = np.linalg.qr(random.normal(size=(len(other_PA), len(other_PA))))[0]
        return np.asarray(rotation_PP @ other_PA)

    return Match(
        one_K=tuple(int(numbers[row]) for row in rows[order]),
        other_K=tuple(int(others[column]) for column in columns[order]),
        cosine_K=tuple(float(cosine) for cosine in cosine_K[order]),
        share_alike=alike,
        moving=(len(numbers), len(others)),
        still=still,
        permuted=_chance(signature_PA, permuted, alike, repetitions),
        rotated=_chance(signature_PA, rotated, alike, repetitions),
    )


def _signatures(response: Response, spread: Spread) -> tuple[NDArray[np.intp], Floats]:
    """The directions that move anything clearly, and their signatures P×A; attributes that could not be measured are
    0."""
    found = effects(response, spread)
    numbers = np.flatnonzero(found.moves_P)
    return numbers, np.nan_to_num(found.slope_PA)[numbers]


def _unit(signature_PA: Floats) -> Floats:
    length_P1 = np.linalg.norm(signature_PA, axis=1, keepdims=True)
    return signature_PA / np.where(length_P1 > 0, length_P1, 1)


def _share_alike(cosine_PP: Floats) -> float:
    size_PP = np.abs(cosine_PP)
    # A rounding error must not tell copies apart.
    return float((size_PP[linear_sum_assignment(-size_PP)] >= ALIKE - 1e-9).sum() / max(size_PP.shape))


def _chance(signature_PA: Floats, draw: Callable[[], Floats], found: float, repetitions: int) -> Chance:
    unit_PA = _unit(signature_PA)
    share_R = np.array([_share_alike(unit_PA @ _unit(draw()).T) for _ in range(repetitions)])
    reached = int((share_R >= found).sum()) + 1
    return Chance(float(share_R.mean()), float(np.quantile(share_R, 0.95)), reached / (repetitions + 1))
