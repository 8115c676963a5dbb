"""The sliders: one for each control that the model can do, with its unit, safe range and status."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from liax.errors import LiaxError
from liax.inference.controls import Choice
from liax.ui.widgets import Page
from liax.ui.words import hint, label, legend, note, readable, unavailable

STEPS = 100
"""About how many places a slider has from one end to the other."""


@dataclass(frozen=True, slots=True)
class Sliders:
    """The components, the names of what they set, and the button that puts all to 0."""

    names: list[str]
    sliders: list[Any]
    reset: Any


def step_of(low: float, high: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, about a hundredth of the range."""
    wanted = max(high - low, 1e-9) / STEPS
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted * (1 - 1e-9))


def with_sliders(page: Page, name: str, connect: Callable[[Sliders], None]) -> None:
    """Put the model's sliders here; another model's take their place when it is chosen.

    Args:
        name: of the tab, for the components' ids.
        connect: gives them something to do.
    """

    # One at a time: Gradio goes through a session's events while it adds some, and another's must not come in between.
    @gr.render(inputs=[page.ready], show_progress="minimal", concurrency_id="sliders", concurrency_limit=1)
    def draw(model: str) -> None:
        try:
            choices = page.desk.models.get(model).controls.choices()
        except LiaxError as error:
            gr.HTML(note(readable(str(error))))
            return
        connect(_draw(choices, name))


def connect_reset(sliders: Sliders) -> Any:
    """Let the button put all sliders to 0; returns the event, to go on from."""
    zeros = [0] * len(sliders.sliders)
    return sliders.reset.click(
        lambda: zeros, outputs=sliders.sliders, queue=False, show_progress="hidden", api_visibility="private"
    )


def _draw(choices: list[Choice], name: str) -> Sliders:
    able = [choice for choice in choices if choice.status != "unavailable" and choice.span[0] < choice.span[1]]
    gr.HTML(legend(choices))
    with gr.Row(elem_classes="sliders"):
        sliders = [_slider(choice, name) for choice in able]
    reset = gr.Button("Reset all", size="sm", elem_id=f"{name}-reset")
    gr.HTML(unavailable(choices))
    return Sliders([choice.name for choice in able], sliders, reset)


def _slider(choice: Choice, name: str) -> Any:
    low, high = choice.span
    step = step_of(low, high)
    return gr.Slider(
        # Towards 0 to whole steps, so that 0 is one of a slider's places and no place is outside the range.
        math.ceil(low / step - 1e-6) * step,
        math.floor(high / step + 1e-6) * step,
        value=0,
        step=step,
        label=label(choice),
        info=hint(choice) or None,
        elem_id=f"{name}-{choice.name}",
        elem_classes=[choice.status],
        buttons=["reset"],
        min_width=200,
    )
