"""Which controls the observer ties together."""

from liax.atlas.couplings import COUPLINGS, others, tied_sds
from liax.attributes import CONTROLS, kin


def test_couplings_name_controls_that_are_no_kin_and_say_why_and_how_much() -> None:
    for (moved, read), tie in COUPLINGS.items():
        assert {moved, read} <= set(CONTROLS)
        assert moved != read
        assert not kin(moved, read), "kin are never apart: no coupling is needed"
        assert tie.why
        assert 0.25 <= tie.sds == tied_sds(moved, read), "what is less holds no control back"


def test_ties_go_one_way() -> None:
    assert tied_sds("pitch", "y") == 1.1
    assert tied_sds("y", "pitch") == 0
    assert "y" in others("pitch"), "what is beyond the tie counts"


def test_a_wink_is_held_against_the_other_eye() -> None:
    for one, other in (("blink_left", "blink_right"), ("blink_right", "blink_left")):
        assert other in others(one)
        assert tied_sds(one, other) == 0
    assert "blink_left" not in others("blink"), "both eyes' blink is made of it"


def test_nothing_is_apart_from_itself() -> None:
    assert all(name not in others(name) for name in CONTROLS)
