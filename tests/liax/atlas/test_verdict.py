"""What a control must keep to, and what is said where it does not."""

from dataclasses import replace
from typing import Any

import pytest

from liax.atlas.verdict import Worth, in_unit, verdict

GOOD = Worth(
    span=40.0,
    reach=42.0,
    falls=0.0,
    people=8,
    r2=0.98,
    error=1.0,
    talk={"pitch": 0.05, "smile": 0.1},
    second=0.99,
    second_seen=0.9,
    identity_seen=0.9,
)


def test_a_good_control_is_certified() -> None:
    assert verdict("yaw", GOOD) == ("certified", "")
    assert verdict("yaw", replace(GOOD, second=None, second_seen=None)) == ("certified", "")


@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        ({"r2": 0.9499}, "R² 0.94; 0.95 is needed"),
        ({"error": 2.5}, "error 2.5 deg; 2 deg is the most"),
        ({"talk": {"pitch": 0.3, "smile": 0.1}}, "also moves pitch: 0.3 of its own effect"),
        ({"talk": {"pitch": 0.3, "smile": 0.4}}, "also moves smile: 0.4 of its own effect, and 1 more"),
        ({"talk": dict.fromkeys("abcdef", 0.2)}, "also moves others, a most: 0.49 of its own effect in all"),
        ({"uneven": 0.4}, "moves one side of the face more than the other, by 0.4 of its own effect"),
        ({"second": 0.5}, "a second observer agrees to 0.50 only; 0.7 is needed"),
        ({"second": None, "second_seen": 0.1}, "the second observer saw 10% of the faces only"),
        ({"identity_seen": 0.0}, "identity was not measured"),
        ({"identity_seen": 0.2}, "identity was not measured on most faces"),
        ({"people": 7}, "only 7 people to check on; 8 are needed"),
        ({"talk": {"y": 0.3}}, "also moves y: 0.3 of its own effect"),
    ],
)
def test_a_bound_that_is_missed_makes_it_approximate(worse: dict[str, Any], reason: str) -> None:
    assert verdict("yaw", replace(GOOD, **worse)) == ("approximate", reason)


@pytest.mark.parametrize(
    ("worse", "reason"),
    [
        ({"span": 1.2, "reach": 1.2}, "moves it by 1.2 deg only; 6 deg is the least that is of use"),
        ({"span": 1.2}, "faces are lost, or become another's, beyond 1.2 deg; 6 deg is the least that is of use"),
        ({"falls": 0.4}, "not monotone: on the way up it falls back by 0.40 of its reach"),
        ({"people": 1}, "seen on 1 of the people that it was not fitted on; 2 are needed"),
        ({"r2": None, "error": None}, "could not be measured on people"),
        ({"talk": {"pitch": float("nan")}}, "could not be measured on people"),
        ({"r2": 0.4}, "R² 0.40; 0.7 is needed"),
        ({"error": 7.0}, "error 7 deg; 6 deg is the most"),
        ({"talk": {"pitch": 0.9}}, "also moves pitch: 0.9 of its own effect"),
        ({"talk": dict.fromkeys("abcdef", 0.4)}, "also moves others, a most: 0.98 of its own effect in all"),
        ({"uneven": 0.95}, "moves one side of the face more than the other, by 0.95 of its own effect"),
        ({"second": -0.9}, "a second observer agrees to -0.90 only; 0.3 is needed"),
    ],
)
def test_what_is_of_no_use_is_unavailable_and_why(worse: dict[str, Any], reason: str) -> None:
    status, said = verdict("yaw", replace(GOOD, **worse))
    assert status == "unavailable"
    assert said.startswith(reason)


def test_all_that_is_missed_is_said() -> None:
    status, said = verdict("yaw", replace(GOOD, r2=0.8, error=3.0))
    assert status == "approximate"
    assert said == "R² 0.80; 0.95 is needed; error 3 deg; 2 deg is the most"


def test_a_wink_that_closes_both_eyes_is_none() -> None:
    both = Worth(span=0.8, reach=0.8, falls=0, people=16, r2=0.99, error=0.01, talk={"blink_right": 0.9}, second=0.9)
    assert verdict("blink_left", both) == ("unavailable", "also moves blink_right: 0.9 of its own effect")


def test_sizes_are_read_with_their_units() -> None:
    assert in_unit(1.234, "deg") == "1.2 deg"
    assert in_unit(0.05, "side") == "0.05 of the picture's side"
    assert in_unit(0.151, "share") == "0.15"
