"""The tabs that move a face by the model's controls: in a picture, while one slides, and in a video."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from liax.ui.desk import Show, settings_of
from liax.ui.pictures_html import EMPTY, pair
from liax.ui.sliders import Sliders, connect_reset, with_sliders
from liax.ui.visitors import Tab
from liax.ui.widgets import (
    PREVIEWERS,
    Page,
    example_button,
    failed,
    files_in,
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
from liax.ui.words import notes

FRAMES = 4
"""How many components say which face is meant."""
_PRESS = "file => { if (file) setTimeout(() => document.querySelector('#edit-file').click(), 50) }"
"""A browser saves a file only where a link or button with it is pressed; this one is pressed when the file is there."""


def edit_picture_tab(page: Page) -> None:
    """Lay it out: the picture and its preview, and the sliders beside them (below them on a phone)."""
    with gr.Row(elem_classes="editor"):
        with gr.Column(scale=5):
            portrait = picture_input("Picture", "edit-portrait")
            example_button(portrait, page.examples.portrait, "Use an example", "edit-example")
            framing = framing_inputs(portrait, "edit")
            with gr.Column(elem_classes="stays"):
                preview = gr.HTML(EMPTY, elem_id="edit-preview")
            download = gr.Button("Download the picture", elem_id="edit-download")
            said = gr.HTML("", elem_id="edit-said")
            file = gr.DownloadButton("", visible="hidden", elem_id="edit-file")
        with gr.Column(scale=6):

            def connect(sliders: Sliders) -> None:
                _connect_picture(page, sliders, [page.model, *framing.all], preview, download, file, said)

            with_sliders(page, "edit", connect)
    # Another model's picture, before its sliders are there.
    page.model.change(_show(page, []), [page.model, *framing.all], preview, **page.private)


def _show(page: Page, names: list[str]) -> Callable[..., str]:
    """What makes the preview of a model, the components of the framing, and sliders of these names."""

    def show(request: gr.Request, model: str, *values: Any) -> str:
        if not values[0]:
            return EMPTY
        try:
            settings = settings_of(names, values[FRAMES:])
            made = page.desk.preview(page.tab_of(request), model, framing_of(*values[:FRAMES]), settings)
        except Exception as error:  # noqa: BLE001 - whatever it is, the visitor reads a line, and the log has the rest
            return failed(error, values)
        return pair(made.still_HWC, made.moved_HWC) + notes(made.notes, files_in(values))

    return show


def _connect_picture(
    page: Page, sliders: Sliders, inputs: list[Any], preview: Any, download: Any, file: Any, said: Any
) -> None:
    show = _show(page, sliders.names)

    def save(request: gr.Request, model: str, *values: Any) -> list[Any]:
        try:
            settings = settings_of(sliders.names, values[FRAMES:])
            made = page.desk.save_picture(page.tab_of(request), model, framing_of(*values[:FRAMES]), settings)
        except Exception as error:  # noqa: BLE001 - whatever it is, the visitor reads a line, and the log has the rest
            return [None, failed(error, values)]
        return [str(made.file), notes(made.notes, files_in(values))]

    quick: dict[str, Any] = {"concurrency_id": "preview", "concurrency_limit": PREVIEWERS, **page.private}
    everything = [*inputs, *sliders.sliders]
    moves = [slider.input for slider in sliders.sliders] + [slider.release for slider in sliders.sliders]
    gr.on(moves, show, everything, preview, trigger_mode="always_last", show_progress="hidden", **quick)
    changes = [component.change for component in inputs[1:]]
    gr.on(changes, show, everything, preview, trigger_mode="always_last", show_progress="minimal", **quick)
    connect_reset(sliders).then(show, everything, preview, show_progress="hidden", **quick)
    saved = download.click(save, everything, [file, said], show_progress="minimal", **quick)
    saved.success(None, file, js=_PRESS, api_visibility="private")


def edit_video_tab(page: Page) -> None:
    """Lay it out."""
    with gr.Row():
        with gr.Column(scale=5):
            source = video_input("Video", "video-source")
            example_button(source, page.examples.video, "Use an example", "video-example")
            framing = framing_inputs(source, "video")
            from_first = gr.Checkbox(
                False, label="Draw all frames from the first one", info="steadier, less detail", elem_id="video-first"
            )
            parts = work_parts("Edit the video", "video")
            result, download = video_result("video")
        with gr.Column(scale=6):

            def connect(sliders: Sliders) -> None:
                def make(tab: Tab, show: Show, model: str, from_first: bool, *values: Any) -> list[Any]:
                    settings = settings_of(sliders.names, values[FRAMES:])
                    made = page.desk.edit_video(
                        tab, model, framing_of(*values[:FRAMES]), settings, bool(from_first), show
                    )
                    said = finished(made, [path_of(values[0])])
                    return [str(made.file), gr.update(value=str(made.file), visible=True), said]

                inputs = [page.model, from_first, *framing.all, *sliders.sliders]
                long_work(page, parts, make, inputs, [result, download])
                connect_reset(sliders)

            with_sliders(page, "video", connect)
