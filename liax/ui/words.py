"""What the page says: errors in the page's own words, and small pieces of HTML."""

import html
import re
from collections.abc import Iterable
from pathlib import Path

from liax.attributes import DEGREES, SIDES
from liax.errors import LiaxError
from liax.inference.controls import Choice
from liax.ui.config import FOLDER_PREFIX

FIND_FACE, WHOSE_FACE, PASTE_BACK = "Find the face", "Whose face", "Put back into the whole picture"
START = "Start frame"
"""Labels that errors refer to."""

LEAST_ERROR = 0.001
"""Of a control, that is shown: less is rounding."""

_PAGES_WORDS = [
    (r"use --no-crop if it is framed already", f"switch “{FIND_FACE}” off if it is framed already"),
    (r"choose with --face.*$", f"choose one under “{WHOSE_FACE}”"),
    (r"add --paste-back, or choose one face", f"switch “{PASTE_BACK}” on, or choose one face"),
    (r"with --no-crop, which takes the middle: give one of the two", f"while “{FIND_FACE}” is off: switch it on"),
    (r"leave out --no-crop", f"switch “{FIND_FACE}” on"),
    (r"; unsafe goes further", ""),
    (r"give the start frame's number instead of auto", f"choose the first frame under “{START}”"),
    (r"^warning: ", ""),
]
_FOLDERS = re.compile(rf"(/[^\s'\"“]*)?/{FOLDER_PREFIX}[^/\s]+/([\w.-]+/)*")
"""Where a visitor's files lie, which is nobody's business."""
_UNITS = {DEGREES: "°", SIDES: " of the side"}


def readable(text: str, files: Iterable[str | Path] = ()) -> str:
    """An error or a warning as a visitor is to read it.

    Args:
        files: the local files that it may name, which the visitor knows by their last part only.
    """
    for file in files:
        text = text.replace(str(file), Path(file).name)
    text = _FOLDERS.sub("", text)
    for commands, pages in _PAGES_WORDS:
        text = re.sub(commands, pages, text)
    return text


def failure(error: Exception, files: Iterable[str | Path] = ()) -> str:
    """What a visitor is told of an error: its text if it was written for people, else what to do."""
    if isinstance(error, LiaxError):
        return readable(str(error), files)
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__ or "allocate memory" in str(error):
        return (
            "the server has not enough memory for this: give a smaller picture or a shorter video, or try again later"
        )
    return "this failed, and it is not your fault: try again, or tell whoever runs this page, whose log has the reason"


def note(text: str, kind: str = "error") -> str:
    """A line that stands out: `error`, `warning` or `done`."""
    return f'<p class="note {kind}" role="{"alert" if kind == "error" else "status"}">{html.escape(text)}</p>'


def notes(texts: Iterable[str], files: Iterable[str | Path] = ()) -> str:
    """Warnings, each a line."""
    files = list(files)
    return "".join(note(readable(text, files), "warning") for text in texts)


def with_sign(value: float, unit: str = "") -> str:
    """`+10°`, `-0.25`."""
    shown = f"{value:+.2g}" if abs(value) < 0.1 and value else f"{value:+.3g}" if value else "0"
    return f"{shown}{_UNITS.get(unit, '')}"


def label(choice: Choice) -> str:
    """A slider's label: `yaw (degrees)`."""
    return named(choice.name, choice.unit)


def named(name: str, unit: str) -> str:
    """What a control or direction is called, with its unit: `yaw (degrees)`, `direction 7`, `mouth open`."""
    units = {DEGREES: " (degrees)", SIDES: " (of the side)"}
    return (f"direction {name}" if name[:1].isdecimal() else name.replace("_", " ")) + units.get(unit, "")


def hint(choice: Choice) -> str:
    """A slider's second line: what it does, and how well."""
    error = ""
    if choice.error is not None:
        error = "±" + with_sign(max(choice.error, LEAST_ERROR), choice.unit).lstrip("+")
    return " · ".join(filter(None, [choice.meaning, error]))


def unavailable(choices: Iterable[Choice]) -> str:
    """The controls that the model cannot do, with the reasons; empty if there are none."""
    rows = [
        f"<li><b>{html.escape(label(choice))}</b> {html.escape(choice.reason)}</li>"
        for choice in choices
        if choice.status == "unavailable"
    ]
    if not rows:
        return ""
    summary = f"<summary>{len(rows)} controls that this model cannot do</summary>"
    return f"<details class='cannot'>{summary}<ul>{''.join(rows)}</ul></details>"


def legend(choices: Iterable[Choice]) -> str:
    """What the sliders are."""
    kinds = {choice.status for choice in choices}
    if kinds & {"certified", "approximate"}:
        text = (
            "Measured on this model; ± is the mean error. <i class='badge certified'>certified</i> keeps its unit, "
            "<i class='badge approximate'>approximate</i> moves the right thing, less exactly. The ranges are safe: "
            "within them a face stays a face, and the same person’s."
        )
    elif "published" in kinds:
        text = "The names and ranges that the release gives its directions. They have no unit: they were not measured."
    else:
        text = "This model’s directions have not been measured, so they have numbers and no names. Try what they do."
    return f"<p class='legend'>{text}</p>"
