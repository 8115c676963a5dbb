"""The tab that shows what each direction of the dictionary does."""

from typing import Any

import gradio as gr

from liax.errors import LiaxError
from liax.ui.desk import Show
from liax.ui.pictures_html import strips
from liax.ui.visitors import Tab
from liax.ui.widgets import (
    Page,
    example_button,
    framing_inputs,
    framing_of,
    long_work,
    picture_input,
    work_parts,
)

ALL = ("all directions", "all")


def explore_tab(page: Page, atlas: bool) -> None:
    """Lay it out. With an atlas, a link to it comes first."""
    if atlas:
        gr.HTML(
            "<p class='note done'>There is an atlas, of the model that it names: "
            "<a href='atlas/index.html' target='_blank' rel='noopener'>open it</a>.</p>",
            elem_id="explore-atlas",
        )
    with gr.Row():
        with gr.Column(scale=3, min_width=260):
            portrait = picture_input("Portrait", "explore-portrait")
            example_button(portrait, page.examples.portrait, "Use an example", "explore-example")
            what = gr.Dropdown([ALL], value="all", label="What is moved", elem_id="explore-what")
            framing = framing_inputs(portrait, "explore", paste_back=False)
            parts = work_parts("Show what it does", "explore")
        with gr.Column(scale=8, min_width=320):
            found = gr.HTML(
                "<div class='empty'>Each direction is shown here, from one end of its range to the other.</div>",
                elem_id="explore-found",
            )

    def offer(model: str) -> Any:
        try:
            controls = page.desk.models.get(model).controls
        except LiaxError:
            return gr.update(choices=[ALL], value="all")
        choices = [choice for choice in controls.choices() if choice.status not in ("unavailable", "index")]
        measured = [("all measured controls", "controls")] if controls.measured and choices else []
        names = [(choice.name.replace("_", " "), choice.name) for choice in choices]
        indices = [(f"direction {index}", str(index)) for index in range(controls.directions)]
        offered = [*measured, ALL, *names, *indices]
        return gr.update(choices=offered, value=offered[0][1])

    def make(tab: Tab, show: Show, model: str, direction: str, *framing: Any) -> list[Any]:
        return [strips(page.desk.sweep(tab, model, framing_of(*framing), str(direction), show)), ""]

    page.model.change(offer, page.model, what, show_progress="hidden", **page.private)
    gr.on(None, offer, page.model, what, show_progress="hidden", **page.private)
    long_work(page, parts, make, [page.model, what, *framing.all], [found])
