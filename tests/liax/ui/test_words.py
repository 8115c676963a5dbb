"""What visitors read."""

import pytest

from liax.errors import UserError
from liax.inference.controls import Choice
from liax.inference.framing import CHOICES
from liax.ui.words import failure, hint, label, legend, named, note, notes, readable, unavailable, with_sign


def test_no_path_and_no_option_of_a_command_is_shown() -> None:
    file = "/srv/secret/abc/me.png"
    assert readable(f"no face in {file}: choose another file, or use --no-crop if it is framed already", [file]) == (
        "no face in me.png: choose another file, or switch “Find the face” off if it is framed already"
    )
    assert readable(f"2 faces in {file}: choose with --face {CHOICES}", [file]) == (
        "2 faces in me.png: choose one under “Whose face”"
    )
    several = "face 'all' gives several results for one picture: add --paste-back, or choose one face"
    assert readable(several).endswith("switch “Put back into the whole picture” on, or choose one face")


def test_no_folder_of_the_page_is_shown() -> None:
    said = "cannot write /tmp/liax-ui-a1b2/made/Xy_9-z/q/edited.mp4: No space left"
    assert readable(said) == "cannot write edited.mp4: No space left"
    assert readable("a/b.png is no picture") == "a/b.png is no picture"


def test_every_failure_has_a_line() -> None:
    class OutOfMemoryError(RuntimeError):
        """Named like torch's."""

    assert failure(UserError("no face in /x/me.png"), ["/x/me.png"]) == "no face in me.png"
    for error in (MemoryError(), OutOfMemoryError("CUDA"), RuntimeError("can't allocate memory: you tried")):
        assert "not enough memory" in failure(error)
    assert failure(KeyError("/srv/secret")).startswith("this failed, and it is not your fault")


def test_text_is_not_taken_for_html() -> None:
    assert note("<script>alert(1)</script>") == (
        '<p class="note error" role="alert">&lt;script&gt;alert(1)&lt;/script&gt;</p>'
    )
    assert notes(["warning: yaw=30 & more"]) == '<p class="note warning" role="status">yaw=30 &amp; more</p>'
    bad = Choice("<b>", "share", (0, 0), "unavailable", reason="<i>")
    assert "<b><b>" not in unavailable([bad])
    assert "<i>" not in unavailable([bad])


def test_sliders_are_named_with_their_units() -> None:
    yaw = Choice("yaw", "deg", (-20, 16), "certified", "the head turns to its left", error=0.8)
    assert label(yaw) == "yaw (degrees)"
    assert hint(yaw) == "the head turns to its left · ±0.8°"
    assert hint(Choice("x", "side", (-1, 1), "certified", error=1e-9)) == "±0.001 of the side"
    assert label(Choice("17", "", (-0.5, 0.5), "index")) == "direction 17"
    assert hint(Choice("17", "", (-0.5, 0.5), "index")) == ""
    assert named("brow_raise", "share") == "brow raise"
    assert [with_sign(value, unit) for value, unit in ((10, "deg"), (-0.25, "share"), (0, "deg"))] == [
        "+10°", "-0.25", "0°"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "said"), [("certified", "Measured on this model"), ("published", "the release"), ("index", "no names")]
)
def test_it_is_said_what_the_sliders_are(status: str, said: str) -> None:
    assert said in legend([Choice("1", "", (-1, 1), status)])  # type: ignore[arg-type]
