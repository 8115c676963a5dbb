"""The whole page: its head and its tabs."""

from contextlib import suppress
from typing import Any

import gradio as gr

from liax.errors import LiaxError
from liax.ui.config import Limits
from liax.ui.desk import Desk
from liax.ui.examples import Examples
from liax.ui.tab_animate import animate_tab
from liax.ui.tab_edit import edit_picture_tab, edit_video_tab
from liax.ui.tab_explore import explore_tab
from liax.ui.widgets import PREVIEWERS, Page

TITLE = "LIA-X: move a face"
MOST_EVENTS = 1000
"""That wait at once, of all visitors: small ones, each done in a moment. Our choice."""


def build(desk: Desk, examples: Examples, limits: Limits, *, atlas: bool = False) -> gr.Blocks:
    """The page as Gradio serves it.

    Args:
        desk: does the work.
        examples: files to try it with.
        atlas: whether an atlas lies under `atlas/`.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True) as blocks:
        gr.HTML(
            f"<h1>{TITLE}</h1><p>Files stay on this server, are yours alone, and go when you leave. At most "
            f"{limits.file_mb} MB a file and {limits.video_s:g} s of video.</p>",
            elem_classes="head",
        )
        model = _model(desk)
        page = Page(desk, model, _ready(desk, model), examples)
        with gr.Tabs():
            with gr.Tab("Animate", id="animate"):
                animate_tab(page)
            with gr.Tab("Edit picture", id="edit", render_children=True):
                edit_picture_tab(page)
            with gr.Tab("Edit video", id="video", render_children=True):
                edit_video_tab(page)
            with gr.Tab("Explore dictionary", id="explore", render_children=True):
                explore_tab(page, atlas)

        def leave(request: gr.Request) -> None:
            desk.visitors.close_tab(str(request.session_hash))
            desk.sources.forget(str(request.session_hash))

        blocks.unload(leave)
    # Gradio counts previews and drawn sliders too; how many works may wait is the desk's to say.
    blocks.queue(max_size=MOST_EVENTS, default_concurrency_limit=PREVIEWERS, api_open=False)
    return blocks


def _model(desk: Desk) -> Any:
    """The choice of the model; hidden where there is only one."""
    names = desk.models.names
    return gr.Dropdown(
        names,
        value=names[0],
        label="Model",
        info="or a folder, an official file, models:/NAME@ALIAS" if desk.models.any_model else None,
        allow_custom_value=desk.models.any_model,
        visible=len(names) > 1 or desk.models.any_model,
        elem_id="model",
    )


def _ready(desk: Desk, model: Any) -> Any:
    """The model's name, once it is loaded: what is drawn for it waits for that, and keeps nobody else waiting."""
    ready = gr.State(desk.models.names[0])

    def load(name: str) -> str:
        with suppress(LiaxError):  # whatever draws something for it says what is wrong
            desk.models.get(name)
        return name

    model.change(load, model, ready, api_visibility="private", preprocess=False, show_progress="hidden")
    return ready
