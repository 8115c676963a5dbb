"""The tab that moves a portrait like a driving video."""

from typing import Any

import gradio as gr

from liax.ui.desk import Show
from liax.ui.visitors import Tab
from liax.ui.widgets import (
    Page,
    example_button,
    finished,
    framing_inputs,
    framing_of,
    long_work,
    path_of,
    picture_input,
    video_input,
    video_result,
    work_parts,
)
from liax.ui.words import START

MODES = [("add its motion to the portrait’s own pose", "relative"), ("take its pose as it is", "absolute")]
STARTS = [("the nearest that there is", "auto"), ("the first", "first")]


def animate_tab(page: Page) -> None:
    """Lay it out."""
    with gr.Row():
        with gr.Column():
            with gr.Row(elem_classes="rail"):
                with gr.Column(min_width=240):
                    portrait = picture_input("Portrait", "animate-portrait", height=260)
                    example_button(portrait, page.examples.portrait, "Use an example", "animate-example-portrait")
                with gr.Column(min_width=240):
                    driving = video_input("Driving video", "animate-driving")
                    example_button(driving, page.examples.video, "Use an example", "animate-example-driving")
            mode = gr.Radio(MODES, value="relative", label="The driving video", elem_id="animate-mode")
            start = gr.Radio(
                STARTS,
                value="auto",
                label=START,
                info="the one in which its face has the portrait’s pose",
                elem_id="animate-frame",
            )
            sound = gr.Checkbox(True, label="Keep its sound", elem_id="animate-sound")
            framing = framing_inputs(portrait, "animate")
        with gr.Column():
            parts = work_parts("Animate", "animate")
            video, download = video_result("animate")
    mode.change(
        lambda chosen: gr.update(visible=chosen == "relative"), mode, start, queue=False, show_progress="hidden",
        api_visibility="private",
    )  # fmt: skip

    def make(
        tab: Tab, show: Show, model: str, mode: Any, start: str, sound: bool, driving: Any, *framing: Any
    ) -> list[Any]:
        files = framing_of(*framing)
        made = page.desk.animate(
            tab,
            model,
            files,
            path_of(driving),
            show,
            mode=mode,
            start_frame="auto" if start == "auto" and mode == "relative" and files.crop else 0,
            sound=sound,
        )
        said = finished(made, [files.path, path_of(driving)])
        return [str(made.file), gr.update(value=str(made.file), visible=True), said]

    long_work(page, parts, make, [page.model, mode, start, sound, driving, *framing.all], [video, download])
