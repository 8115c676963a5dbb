"""Whose faces are moved, and that the model has no say in it."""

import numpy as np
import pytest

from liax.atlas.people import Candidate, Person, choose_people, fitted_on, unsuited
from liax.attributes import ATTRIBUTES
from liax.errors import UserError


def frame(**attributes: float) -> np.ndarray:
    values = np.zeros(len(ATTRIBUTES), dtype=np.float32)
    for name, value in attributes.items():
        values[ATTRIBUTES.index(name)] = value
    return values


def candidate(person: str, clip: str = "c", how: float = 0.0, number: int = 0) -> Candidate:
    return Candidate(Person(id=person, clip=clip, frame=number, picture="p.png"), how, unmoved_found=True)


def test_the_frontal_face_with_open_eyes_and_a_closed_mouth_suits_best() -> None:
    frames = [frame(), frame(yaw=-12), frame(eyeBlinkRight=0.9), frame(jawOpen=0.7), frame(pitch=9, roll=8), frame()]
    frames[-1][:] = np.nan
    found = unsuited(np.stack(frames))
    assert found[0] == 0
    assert found.argsort()[0] == 0
    assert found[1] == pytest.approx(0.4)
    assert found[2] == pytest.approx(0.9)
    assert found[4] == pytest.approx(17 / 30)
    assert np.isinf(found[5])


def test_a_person_is_shown_by_the_best_frame_of_all_their_clips() -> None:
    given = [candidate("a", "1", 0.5), candidate("a", "2", 0.1), candidate("b", "3", 2.0), candidate("c", "4", 0.0)]
    given += [candidate("d", "5", 0.3), candidate("e", "6", np.inf)]
    chosen = choose_people(given, 4)
    assert {one.person.id: one.person.clip for one in chosen} == {"a": "2", "b": "3", "c": "4", "d": "5"}
    assert choose_people(given[::-1], 4) == chosen


def test_another_person_changes_one_place_only() -> None:
    many = [candidate(f"person {number}") for number in range(40)]
    before = {one.person.id for one in choose_people(many, 10)}
    for number in range(40, 60):
        after = {one.person.id for one in choose_people([*many, candidate(f"person {number}")], 10)}
        assert len(before - after) <= 1


@pytest.mark.parametrize(
    ("people", "wanted", "says"),
    [
        (8, 32, "there are 8 people with a face that is found, fewer than identities=32.*or identities=8 for"),
        (3, 32, "there are 3 people with a face that is found, and an atlas needs 4 at least, 32 as told"),
    ],
)
def test_too_few_people_are_refused(people: int, wanted: int, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        choose_people([candidate(str(number)) for number in range(people)], wanted)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("people", [4, 5, 32])
def test_nobody_is_fitted_and_certified_on(people: int) -> None:
    fitted = fitted_on(people)
    assert fitted.sum() == -(-people // 2)
    assert (~fitted).sum() == people // 2
