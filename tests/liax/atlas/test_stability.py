"""Dictionaries that are the same, those that have nothing in common, and what is between."""

import json

import numpy as np
import pytest

from liax.atlas.response import Path, Response
from liax.atlas.stability import match
from tests.liax.atlas.planted import LEVELS_L, SD_A, A, alone, linear, response, spread

M = 12


def _moves(seed: int, still: int = 0) -> np.ndarray:
    """Directions that each do a few things."""
    random = np.random.default_rng(seed)
    moves_MA = random.normal(0, 1, (M, A)) * (random.random((M, A)) < 0.1) * SD_A
    moves_MA[:, 7:] += 0.02 * random.normal(0, 1, (M, A - 7)) * SD_A[7:]
    moves_MA[:still] = 0
    return moves_MA


def _response(moves_MA: np.ndarray, seed: int = 0) -> Response:
    return response(alone(len(moves_MA)), linear(moves_MA), people=8, seed=seed)


def test_shuffled_and_turned_copies_match_wholly() -> None:
    random = np.random.default_rng(1)
    moves_MA, order_M, sign_M = _moves(0), random.permutation(M), random.choice([-1, 1], M)
    copied_MA = (moves_MA * sign_M[:, None])[order_M]
    found = match(_response(moves_MA), spread(M), _response(copied_MA, seed=5), spread(M), repetitions=200)
    assert found.share_alike == 1
    assert len(found.one_K) == M
    for one, other, cosine in zip(found.one_K, found.other_K, found.cosine_K, strict=True):
        assert order_M[other] == one
        assert cosine * sign_M[one] > 0.99
    for chance in (found.permuted, found.rotated):
        assert chance is not None
        assert chance.p <= 0.01
        assert chance.most_95 < 0.5


def test_scale_of_codes_does_not_matter() -> None:
    moves_MA = _moves(0)
    narrow = [Path(path.name, path.unit_M, LEVELS_L / 10) for path in alone(M)]
    other = response(narrow, linear(10 * moves_MA))
    found = match(_response(moves_MA), spread(M), other, spread(M, [0.1] * M), repetitions=10)
    assert found.share_alike == 1


def test_dictionaries_without_anything_in_common_match_by_chance_only() -> None:
    found = match(_response(_moves(0)), spread(M), _response(_moves(99)), spread(M), repetitions=200)
    assert found.share_alike < 0.2
    assert found.permuted is not None
    assert found.permuted.p > 0.05


def test_the_same_space_in_another_basis_is_not_the_same_dictionary() -> None:
    moves_MA = _moves(0)
    rotation_MM = np.linalg.qr(np.random.default_rng(3).normal(size=(M, M)))[0]
    found = match(_response(moves_MA), spread(M), _response(rotation_MM @ moves_MA), spread(M), repetitions=200)
    assert found.share_alike < 0.3
    assert found.rotated is not None
    assert found.rotated.p > 0.05


def test_still_directions_are_left_out_and_counted() -> None:
    moves_MA = _moves(0, still=3)
    found = match(_response(moves_MA), spread(M), _response(moves_MA[2:], seed=4), spread(M - 2), repetitions=10)
    assert found.still == (3, 1)
    assert found.moving == (M - 3, M - 3)
    assert found.share_alike == 1
    assert set(found.one_K) == set(range(3, M))


def test_what_the_smaller_dictionary_lacks_counts() -> None:
    moves_MA = _moves(0)
    found = match(_response(moves_MA), spread(M), _response(moves_MA[:3], seed=4), spread(3), repetitions=10)
    assert found.moving == (M, 3)
    assert found.share_alike == 3 / M
    assert found.to_json()["moving"] == [M, 3]


def test_chance_is_the_same_every_time() -> None:
    one, other = _response(_moves(0)), _response(_moves(1))
    first = match(one, spread(M), other, spread(M), repetitions=20)
    assert match(one, spread(M), other, spread(M), repetitions=20) == first
    told = first.to_json()
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert len(told["matches"]) == M
    assert told["chance"]["rotated"]["p"] <= 1


def test_nothing_that_moves_is_no_match_and_no_error() -> None:
    found = match(_response(np.zeros((M, A))), spread(M), _response(_moves(0)), spread(M))
    assert np.isnan(found.share_alike)
    assert found.still == (M, 0)
    assert found.to_json()["share_alike"] is None
    assert found.to_json()["chance"] == {"permuted": None, "rotated": None}


@pytest.mark.parametrize("seed", range(3))
def test_matches_are_one_to_one(seed: int) -> None:
    found = match(_response(_moves(seed)), spread(M), _response(_moves(seed + 50)), spread(M), repetitions=1)
    assert len(set(found.one_K)) == len(set(found.other_K)) == M
    assert list(np.abs(found.cosine_K)) == sorted(np.abs(found.cosine_K), reverse=True)
