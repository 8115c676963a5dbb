"""Calibration curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from liax.atlas.curves import Curve, around, calibration_curve, found_for, kept

LEVELS_L = np.linspace(-2, 2, 9)


def _of(change_L: np.ndarray) -> Curve:
    found = calibration_curve(LEVELS_L, change_L[None])
    assert found is not None
    return found


def test_a_straight_response_is_its_own_curve() -> None:
    found = _of(3 * LEVELS_L)
    assert found.units_K == pytest.approx(3 * LEVELS_L)
    assert found.coefficients_K == pytest.approx(LEVELS_L)
    assert found.falls == 0
    assert found.unit(0.25) == pytest.approx(0.75)
    assert found.unit(9) == pytest.approx(6)


def test_the_median_is_not_moved_by_one_strange_person() -> None:
    changes_NL = np.stack([LEVELS_L, LEVELS_L, 50 * LEVELS_L])
    found = calibration_curve(LEVELS_L, changes_NL)
    assert found is not None
    assert found.units_K == pytest.approx(LEVELS_L)


def test_what_goes_one_way_only_has_no_other_side() -> None:
    """Eyes that are open do not open further."""
    found = _of(np.where(LEVELS_L > 0, 0.4 * LEVELS_L, 0.002 * LEVELS_L))
    assert found.units_K[0] == found.coefficients_K[0] == 0
    assert found.units_K[-1] == pytest.approx(0.8)
    falling = _of(np.where(LEVELS_L > 0, 0.4 * LEVELS_L, -0.1 * LEVELS_L))
    assert falling.units_K[0] == 0
    assert falling.falls == pytest.approx(0.25)


def test_what_no_longer_rises_ends_the_curve() -> None:
    found = _of(np.clip(LEVELS_L, -1, 1))
    assert found.coefficients_K[[0, -1]] == pytest.approx([-1, 1])


def test_a_curve_ends_where_half_of_the_people_have_no_face() -> None:
    changes_NL = np.stack([LEVELS_L] * 3)
    changes_NL[:2, 7:] = np.nan
    changes_NL[:1, :2] = np.nan
    found = calibration_curve(LEVELS_L, changes_NL)
    assert found is not None
    assert found.coefficients_K[[0, -1]] == pytest.approx([-2, 1])


@pytest.mark.parametrize("change_L", [np.zeros(9), np.full(9, np.nan), -LEVELS_L, -(LEVELS_L**2) * (LEVELS_L > 0)])
def test_what_does_not_rise_has_no_curve(change_L: np.ndarray) -> None:
    assert calibration_curve(LEVELS_L, change_L[None]) is None


@settings(max_examples=100, deadline=None)
@given(arrays(np.float64, (3, 9), elements=st.one_of(st.floats(-5, 5), st.just(np.nan))))
def test_whatever_was_measured_a_curve_ascends_through_0(changes_NL: np.ndarray) -> None:
    changes_NL = changes_NL - changes_NL[:, 4:5]
    found = calibration_curve(LEVELS_L, changes_NL)
    if found is None:
        return
    assert (np.diff(found.units_K) > 0).all()
    assert (np.diff(found.coefficients_K) > 0).all()
    assert (0, 0) in zip(found.units_K, found.coefficients_K, strict=True)
    assert set(found.coefficients_K) <= set(LEVELS_L)
    assert 0 <= found.falls <= 1


def test_around_stops_at_the_first_that_is_not_fine() -> None:
    fine = np.array([True, False, True, True, True, False, True])
    assert list(np.flatnonzero(around(fine, 3))) == [2, 3, 4]
    assert not around(fine, 1).any()
    assert list(np.flatnonzero(around(fine, 6))) == [6]


def test_others_are_read_at_the_curves_coefficients() -> None:
    curve = _of(2 * LEVELS_L)
    changes_NL = np.stack([2 * LEVELS_L, 3 * LEVELS_L, np.where(LEVELS_L > 1, np.nan, 2 * LEVELS_L)])
    found_NU = found_for(curve, LEVELS_L, changes_NL, np.array([-2.0, 0.5, 3.0]))
    assert found_NU[0] == pytest.approx([-2, 0.5, 3])
    assert found_NU[1] == pytest.approx([-3, 0.75, 4.5])
    assert np.isnan(found_NU[2, 2])
    assert found_NU[2, 1] == pytest.approx(0.5)


def test_what_is_kept() -> None:
    asked_U = np.array([-1.0, 0.0, 1.0])
    assert kept(asked_U, np.stack([asked_U, asked_U])) == (1, 0)
    r2, error = kept(asked_U, np.array([[-2.0, 0.0, 2.0], [np.nan, np.nan, np.nan]]))
    assert error == pytest.approx(2 / 3)
    assert r2 == pytest.approx(1 - 2 / 8)
    assert kept(asked_U, -asked_U[None])[0] == pytest.approx(1 - 8 / 2)
    assert kept(asked_U, np.full((2, 3), np.nan)) == (None, None)
    assert kept(asked_U, np.zeros((2, 3))) == (None, None)
