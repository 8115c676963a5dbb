"""The places of sliders, and what they say together."""

import pytest

gradio = pytest.importorskip("gradio", reason="needs Gradio: pip install 'liax[ui]'")

from liax.errors import UserError  # noqa: E402
from liax.inference.controls import Choice  # noqa: E402
from liax.ui.desk import settings_of, still_values  # noqa: E402
from liax.ui.sliders import _slider, step_of  # noqa: E402


@pytest.mark.parametrize(
    ("low", "high", "step"), [(-20, 16, 0.5), (-1, 0.5, 0.02), (-0.4, 0.4, 0.01), (0, 0.03, 0.0005), (-50, 50, 1.0)]
)
def test_steps_are_round(low: float, high: float, step: float) -> None:
    assert step_of(low, high) == pytest.approx(step)


def test_a_slider_stays_in_its_safe_range_and_has_a_place_for_0() -> None:
    slider = _slider(Choice("yaw", "deg", (-19.83, 16.21), "certified", "turns"), "edit")
    assert (slider.minimum, slider.maximum, slider.value) == pytest.approx((-19.5, 16.0, 0))
    assert slider.minimum / slider.step == pytest.approx(round(slider.minimum / slider.step))
    assert (slider.label, slider.elem_id, slider.elem_classes) == ("yaw (degrees)", "edit-yaw", ["certified"])


def test_only_what_was_touched_is_set() -> None:
    assert settings_of(["yaw", "blink", "3"], [10, 0, -0.25]) == {"yaw": 10.0, "3": -0.25}
    assert settings_of(["yaw"], [None]) == {}
    for value in (float("nan"), float("inf"), 1e9):
        with pytest.raises(UserError, match="move it again"):
            settings_of(["yaw"], [value])


def test_stills_have_0_in_the_middle() -> None:
    assert still_values(-30, 15) == pytest.approx([-30, -20, -10, 0, 5, 10, 15])
    assert still_values(0, 6) == pytest.approx([0, 1, 2, 3, 4, 5, 6])
