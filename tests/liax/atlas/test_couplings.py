"""Which controls the observer ties together."""

from liax.atlas.couplings import COUPLINGS, apart, others
from liax.attributes import CONTROLS, kin


def test_couplings_name_controls_that_are_no_kin_and_say_why() -> None:
    for (moved, read), why in COUPLINGS.items():
        assert {moved, read} <= set(CONTROLS)
        assert moved != read
        assert not kin(moved, read), "kin are never apart: no coupling is needed"
        assert why


def test_ties_go_one_way() -> None:
    assert not apart("pitch", "y")
    assert apart("y", "pitch")
    assert "y" not in others("pitch")


def test_a_wink_is_held_against_the_other_eye() -> None:
    assert apart("blink_left", "blink_right")
    assert apart("blink_right", "blink_left")
    assert not apart("blink", "blink_left"), "both eyes' blink is made of it"


def test_nothing_is_apart_from_itself() -> None:
    assert all(name not in others(name) for name in CONTROLS)
