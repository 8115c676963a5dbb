"""DCI, MIG and SAP where their values are known: codes that are the controls, and codes that mix them."""

import json

import numpy as np
import pytest

from liax.atlas.observational import dci, importances, learned_on, mig, observational, sap
from liax.atlas.observed import Observed
from liax.attributes import ATTRIBUTES, CONTROLS
from tests.liax.atlas.planted import SD_A, A

FOUR = ("yaw", "pitch", "roll", "jawOpen")


def _factors(seed: int, frames: int = 600, count: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (frames, count))


def _mixed(values_FC: np.ndarray) -> np.ndarray:
    """Two by two at 45 degrees: each code counts for two controls alike."""
    half = np.sqrt(0.5)
    turn = np.kron(np.eye(2), [[half, half], [-half, half]])
    return values_FC @ turn


def test_dci_of_known_importances() -> None:
    assert dci(np.eye(4)) == pytest.approx((1, 1))
    assert dci(np.ones((4, 4))) == pytest.approx((0, 0))
    # Two codes for each control: each direction is pure, no control is in one alone.
    twice = np.repeat(np.eye(2), 2, axis=0)
    assert dci(twice) == pytest.approx((1, 1 - np.log(2) / np.log(4)))
    # One code for two controls, the other for none.
    assert dci(np.array([[1.0, 1.0], [0.0, 0.0]])) == pytest.approx((0, 1))
    # Codes that count for more weigh more: the mixed one holds 2 of 3.
    assert dci(np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))[0] == pytest.approx(
        (2 * (1 - np.log(2) / np.log(3)) + 1) / 3
    )
    assert dci(np.zeros((3, 2))) == (0, 0)


def test_codes_that_are_the_controls_are_disentangled() -> None:
    learn, tell = _factors(0), _factors(1)
    importance_MC, r2_C = importances(learn, learn, tell, tell)
    disentanglement, completeness = dci(importance_MC)
    assert disentanglement > 0.95
    assert completeness > 0.95
    assert r2_C.min() > 0.95
    assert mig(tell, tell) > 0.85  # what two independent codes seem to share in 600 frames is missing
    assert sap(learn, learn, tell, tell) == pytest.approx(1, abs=0.02)


def test_mixed_codes_are_not() -> None:
    learn, tell = _factors(0), _factors(1)
    importance_MC, r2_C = importances(_mixed(learn), learn, _mixed(tell), tell)
    disentanglement, completeness = dci(importance_MC)
    assert disentanglement == pytest.approx(0.5, abs=0.1)  # two of four controls each: 1 - log 2 / log 4
    assert completeness == pytest.approx(0.5, abs=0.1)
    assert r2_C.min() > 0.9  # all is there, in the wrong basis
    assert mig(_mixed(tell), tell) < 0.05
    assert sap(_mixed(learn), learn, _mixed(tell), tell) < 0.1


def test_codes_that_say_nothing() -> None:
    learn, tell = _factors(0), _factors(1)
    _, r2_C = importances(_factors(2), learn, _factors(3), tell)
    assert r2_C.max() < 0.1
    assert mig(_factors(3), tell) < 0.05
    assert sap(_factors(2), learn, _factors(3), tell) < 0.02


def test_mig_does_not_mind_how_codes_are_bent() -> None:
    tell = _factors(1)
    assert mig(np.exp(3 * tell), tell) == pytest.approx(mig(tell, tell))
    assert mig(np.zeros_like(tell), tell) == 0
    assert mig(tell, np.zeros_like(tell)) == 0


def _observed(people: int = 8, frames: int = 60, mixed: bool = False) -> Observed:
    values_FC = _factors(0, people * frames)
    attributes_FA = np.full((people * frames, A), 0.2)
    for column, name in enumerate(FOUR):
        place = ATTRIBUTES.index(name)
        attributes_FA[:, place] += values_FC[:, column] * SD_A[place]
    attributes_FA[::50] = np.nan
    codes_FM = np.concatenate([_mixed(values_FC) if mixed else values_FC, _factors(7, len(values_FC), 2)], axis=1)
    person_F = np.repeat([f"p{number}" for number in range(people)], frames)
    frame_F = np.tile(np.arange(frames), people)
    return Observed(codes_FM.astype(np.float32), attributes_FA.astype(np.float32), person_F, person_F, frame_F)


def test_the_whole_of_it_is_json_and_the_same_every_time() -> None:
    found = observational(_observed())
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert observational(_observed()) == found
    assert found["reason"] == ""
    assert found["no_face"] == 10
    assert found["people"] == {"learned_on": 4, "told_of": 4}
    assert sum(found["frames"].values()) == 470
    assert found["factors"] == ["yaw", "pitch", "roll", "mouth_open"]
    assert set(found["factors"]) | set(found["not_factors"]) == set(CONTROLS)
    assert found["disentanglement"] > 0.9
    assert found["informativeness"] > 0.9
    assert observational(_observed(mixed=True))["disentanglement"] < 0.7


def test_kin_is_a_factor_once() -> None:
    seen = _observed()
    blinks = [ATTRIBUTES.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
    seen.attributes_FA[:, blinks] += 0.1 * _factors(3, len(seen.person_F), 2)
    found = observational(seen)
    assert "blink" in found["factors"]
    assert found["not_factors"]["blink_left"] == "made of the same as blink"


def test_no_person_is_on_both_sides() -> None:
    person_F = _observed().person_F
    learned_F = learned_on(person_F)
    assert set(person_F[learned_F]) & set(person_F[~learned_F]) == set()
    assert len(set(person_F[learned_F])) == 4
    # The order of frames does not matter.
    assert (learned_on(person_F[::-1]) == learned_F[::-1]).all()


@pytest.mark.parametrize(("people", "frames"), [(1, 100), (2, 15)])
def test_too_little_is_said(people: int, frames: int) -> None:
    found = observational(_observed(people, frames))
    assert found["disentanglement"] is found["mig"] is found["sap"] is None
    assert "20 are needed" in found["reason"]


def test_no_faces_at_all_is_said() -> None:
    seen = _observed()
    seen.attributes_FA[:] = np.nan
    found = observational(seen)
    assert found["reason"]
    assert found["no_face"] == 480


def test_faces_that_do_nothing_are_said() -> None:
    seen = _observed()
    seen.attributes_FA[:] = 0.1
    found = observational(seen)
    assert found["factors"] == []
    assert found["reason"] == "fewer than two controls vary"
