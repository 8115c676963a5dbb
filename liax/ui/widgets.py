"""Pieces that several tabs of the page share."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from liax.errors import LiaxError, UserError
from liax.ui.desk import Desk, Made
from liax.ui.examples import Examples
from liax.ui.guard import COOKIE
from liax.ui.sources import Framing
from liax.ui.visitors import Tab
from liax.ui.words import FIND_FACE, PASTE_BACK, WHOSE_FACE, failure, note, notes
from liax.ui.work import Cancelled, Stand

_log = logging.getLogger(__name__)

FACES = [("the largest", "largest"), ("the leftmost", "leftmost"), ("the only one", ""), ("all of them", "all")]
PREVIEWERS = 4
"""How many previews are made at once: the model itself takes turns anyway."""
IDLE = "<p class='lead'>Nothing is being made.</p>"


@dataclass(frozen=True, slots=True)
class Page:
    """What the tabs are built with.

    Args:
        desk: does the work.
        model: the component that says which model.
        ready: its name again, once it is loaded.
        examples: files to try things with.
    """

    desk: Desk
    model: Any
    ready: Any
    examples: Examples

    @property
    def private(self) -> dict[str, Any]:
        """Options of every event: nobody calls it but by the page, and files are passed as they are."""
        return {"api_visibility": "private", "preprocess": False}

    def tab_of(self, request: gr.Request) -> Tab:
        """Whose page asks. Raises UserError if that is not known any more."""
        tab = self.desk.visitors.tab(request.cookies.get(COOKIE), request.session_hash or "")
        if tab is None:
            raise UserError("this page is no longer known here: reload it")
        return tab


@dataclass(frozen=True, slots=True)
class FramingInputs:
    """The components that say which face of a picture or video is meant."""

    file: Any
    face: Any
    paste_back: Any
    crop: Any

    @property
    def all(self) -> list[Any]:
        return [self.file, self.face, self.paste_back, self.crop]


def picture_input(label: str, name: str, height: int = 240) -> Any:
    """Where a picture is uploaded or pasted."""
    # Said to be interactive, because the events that read it may come later, with the sliders.
    return gr.Image(
        label=label,
        type="filepath",
        sources=["upload", "clipboard"],
        interactive=True,
        height=height,
        buttons=[],
        elem_id=name,
    )


def video_input(label: str, name: str) -> Any:
    """Where a video is uploaded."""
    return gr.Video(label=label, sources=["upload"], interactive=True, height=260, buttons=[], elem_id=name)


def video_result(name: str) -> tuple[Any, Any]:
    """Where a finished video is shown, and the button that downloads it."""
    video = gr.Video(label="Result", interactive=False, buttons=[], height=400, elem_id=f"{name}-result")
    return video, gr.DownloadButton("Download the video", visible=False, elem_id=f"{name}-download")


def framing_inputs(file: Any, name: str, *, paste_back: bool = True) -> FramingInputs:
    """Under a picture or video: whose face, and what becomes of the rest."""
    with gr.Accordion("Which face, and how it is framed", open=False):
        face = gr.Dropdown(
            FACES if paste_back else FACES[:-1],
            value="largest",
            label=WHOSE_FACE,
            info="if there are several",
            elem_id=f"{name}-face",
        )
        paste = gr.Checkbox(False, label=PASTE_BACK, visible=paste_back, elem_id=f"{name}-paste")
        crop = gr.Checkbox(
            True, label=FIND_FACE, info="off: it is framed already, and the middle is taken", elem_id=f"{name}-crop"
        )
    return FramingInputs(file, face, paste, crop)


def framing_of(file: Any, face: str | None, paste_back: bool, crop: bool) -> Framing:
    """What those components say. Raises UserError where no file was given."""
    face = None if not crop and face in ("largest", "leftmost") else face or None
    return Framing(path_of(file), face, bool(paste_back), bool(crop))


def path_of(file: Any) -> str:
    """The uploaded file that a component names. The guard has made sure that it is the visitor's."""
    path = file.get("path") if isinstance(file, dict) else None
    if not path:
        raise UserError("no file yet: choose one first")
    return str(path)


def example_button(component: Any, file: Path | None, text: str, name: str) -> Any:
    """Fills a component with an example, if there is one. Returns the event, to go on from, or None."""
    if file is None:
        return None
    button = gr.Button(text, size="sm", variant="secondary", elem_id=name)
    return button.click(lambda: str(file), outputs=component, api_visibility="private", show_progress="hidden")


@dataclass(frozen=True, slots=True)
class WorkParts:
    """A button that starts something long, one that stops it, and where it is said how it goes."""

    name: str
    start: Any
    cancel: Any
    status: Any


def work_parts(text: str, name: str) -> WorkParts:
    """Make them."""
    with gr.Row():
        start = gr.Button(text, variant="primary", elem_id=f"{name}-start", min_width=120)
        cancel = gr.Button("Cancel", variant="stop", visible=False, elem_id=f"{name}-cancel", min_width=120)
    return WorkParts(name, start, cancel, gr.HTML(IDLE, elem_id=f"{name}-status", elem_classes="status"))


def long_work(
    page: Page, parts: WorkParts, make: Callable[..., Sequence[Any]], inputs: list[Any], outputs: list[Any]
) -> None:
    """Let the start button do something long, one visitor's at a time.

    Args:
        make: from a Tab, a function that shows how far it is, and the inputs' values, to the outputs' values and the
            text of the status.
        outputs: emptied where nothing came of it.
    """

    def run(request: gr.Request, progress: gr.Progress = gr.Progress(), *values: Any) -> list[Any]:  # noqa: B008
        def show(stand: Stand) -> None:
            progress(stand.share if stand.share is not None else 0.0, desc=stand.text)

        try:
            return list(make(page.tab_of(request), show, *values))
        except Cancelled:
            return [*nothing, note("Cancelled. Nothing was kept.", "warning")]
        except Exception as error:  # noqa: BLE001 - whatever it is, the visitor reads a line, and the log has the rest
            return [*nothing, failed(error, values)]

    def stop(request: gr.Request) -> list[Any]:
        with suppress(LiaxError):  # where the page is not known any more, nothing is made for it
            page.tab_of(request).cancel(parts.name)
        return [gr.update(interactive=True), gr.update(visible=False), note("Cancelled. Nothing was kept.", "warning")]

    # A button that has nothing to download is not shown.
    nothing = [gr.update(value=None, visible=False) if isinstance(one, gr.DownloadButton) else None for one in outputs]
    buttons = [parts.start, parts.cancel]
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    begun = parts.start.click(
        lambda: [gr.update(interactive=False), gr.update(visible=True), ""], outputs=[*buttons, parts.status], **quick
    )
    running = begun.then(
        run,
        inputs,
        [*outputs, parts.status],
        show_progress_on=parts.status,
        concurrency_id="work",
        concurrency_limit=None,  # works wait for each other behind it, see `liax.ui.work.Line`
        **page.private,
    )
    running.then(lambda: [gr.update(interactive=True), gr.update(visible=False)], outputs=buttons, **quick)
    parts.cancel.click(stop, outputs=[*buttons, parts.status], cancels=[running], **quick)


def finished(made: Made, files: Sequence[str]) -> str:
    """What is said of a video that was made."""
    text = "Done."
    if made.animation is not None:
        one = made.animation
        text = f"Done: {one.frames} frames of {one.width_px}×{one.height_px} pixels at {float(one.fps):g} a second."
    return notes(made.notes, files) + note(text, "done")


def failed(error: Exception, values: Sequence[Any]) -> str:
    """What is shown of an error.

    Args:
        values: of the components, some of which are files that it may name.
    """
    if not isinstance(error, LiaxError):
        _log.exception("failed")
    return note(failure(error, files_in(values)))


def files_in(values: Sequence[Any]) -> list[str]:
    """The files among the values of components."""
    return [value["path"] for value in values if isinstance(value, dict) and value.get("path")]
