"""Whose faces are moved: one picture of each person, and which of the people controls are fitted and certified on.

Nothing here depends on the model, so atlases of several models on one set show the same people.

Shapes: F frames, A attributes, N people.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from liax.atlas.config import LEAST_IDENTITIES
from liax.attributes import ATTRIBUTES
from liax.config import Config
from liax.errors import UserError

_POSE = [ATTRIBUTES.index(name) for name in ("yaw", "pitch", "roll")]
_BLINK = [ATTRIBUTES.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
_JAW = ATTRIBUTES.index("jawOpen")
_WORST_DEG = 30.0
"""A head turned by this is as unsuited as closed eyes or an open mouth. Our choice."""


class Person(Config):
    """One person and the frame that stands for them."""

    id: str
    """Identity cluster, or what stands for it."""
    clip: str
    """Id of the clip."""
    frame: int
    """Its number in the clip."""
    picture: str
    """URL of the frame as a PNG."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A clip's best frame."""

    person: Person
    unsuited: float
    """See `unsuited`."""
    unmoved_found: bool
    """Whether a face was found in the model's own, unmoved drawing of it."""


def unsuited(attributes_FA: NDArray[np.floating]) -> NDArray[np.float64]:
    """How far each frame is from a frontal face with open eyes and a closed mouth, from 0; infinite without a face.

    Motion starts from this face: what is closed already cannot be closed, and what looks away is half hidden.
    """
    attributes_FA = np.asarray(attributes_FA, dtype=np.float64)
    pose_F = np.abs(attributes_FA[:, _POSE]).sum(axis=1) / _WORST_DEG
    found = pose_F + attributes_FA[:, _BLINK].max(axis=1) + attributes_FA[:, _JAW]
    return np.where(np.isnan(found), np.inf, found)


def choose_people(candidates: Sequence[Candidate], identities: int) -> list[Candidate]:
    """The best frame of each of so many people.

    Which people: those whose hash is smallest, the same for the same set, and another person changes one place only.

    Raises:
        UserError: there are fewer people.
    """
    best: dict[str, Candidate] = {}
    for candidate in sorted(candidates, key=lambda one: (one.unsuited, one.person.clip, one.person.frame)):
        if np.isfinite(candidate.unsuited):
            best.setdefault(candidate.person.id, candidate)
    check_identities(len(best), identities, "people with a face that is found")
    ranked = sorted(best, key=lambda person: hashlib.sha256(person.encode()).hexdigest())
    return [best[person] for person in ranked[:identities]]


def check_identities(there: int, wanted: int, what: str = "people") -> None:
    """Raises UserError where there are fewer people than wanted."""
    if there >= wanted:
        return
    if there < LEAST_IDENTITIES:
        raise UserError(
            f"there are {there} {what}, and an atlas needs {LEAST_IDENTITIES} at least, {wanted} as told: give clips "
            "of more people"
        )
    raise UserError(
        f"there are {there} {what}, fewer than identities={wanted}: give clips of more people, or identities={there} "
        "for controls with wider errors"
    )


def fitted_on(people: int) -> NDArray[np.bool_]:
    """Which of the people (N) controls are fitted on: every other one. On the rest they are certified."""
    return np.arange(people) % 2 == 0
