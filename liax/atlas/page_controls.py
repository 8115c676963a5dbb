"""The atlas's page: the controls, what each is made of, how well it does, and what it moves besides."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from liax.atlas import charts
from liax.atlas.page_parts import SYMBOLS, figure, heads, number_cell, opens, percent, row, signed, value_bars
from liax.atlas.shown import Shown
from liax.atlas.verdict import APPROXIMATE, CERTIFIED
from liax.attributes import CONTROLS, DEGREES
from liax.controls_file import ControlsFile, MeasuredControl, Status
from liax.html_page import image, words

PROMISES: dict[Status, str] = {
    "certified": f"does what it is asked for on people that it was not fitted on: R² of {CERTIFIED.r2:g} or more, an "
    f"error that one overlooks, and nothing else that the observer can tell apart moved by more than "
    f"{percent(CERTIFIED.talk)} of what it moves itself (docs/controls.md says what that leaves out)",
    "approximate": f"moves the right way: R² of {APPROXIMATE.r2:g} or more, but with larger errors, or with up to "
    f"{percent(APPROXIMATE.talk)} of its effect on something else; look at its pictures",
    "unavailable": "this model cannot do it, or cannot be shown to; it is refused rather than guessed",
}
_TEXTS, _NUMBERS = ("control", "status", "what a positive value does"), ("safe range", "error", "R²", "2nd obs.")
_MOST_CROSS_TALK = 8


def controls_section(shown: Shown, drawn: Mapping[str, bytes]) -> str:
    """All controls, those that can be used first.

    Args:
        drawn: see `liax.atlas.plots.plots`.
    """
    order = list(PROMISES)
    ordered = sorted(shown.controls.controls.items(), key=lambda item: order.index(item[1].status))
    promised = "".join(
        f"<p class={status}><b>{SYMBOLS[status]} {status}</b> <span class=muted>{escape(text)}.</span></p>"
        for status, text in PROMISES.items()
    )
    usable = sum(control.status != "unavailable" for _, control in ordered)
    rows = "".join(_control(name, control, shown, drawn) for name, control in ordered)
    return (
        f"<h2 id=controls>Controls</h2>{promised}"
        "<p>Safe range: how far it may be changed. Error: mean distance of what was found from what was asked for; R²: "
        "share of what was found that this explains; both on people that it was not fitted on. Second observer: "
        "correlation with what another program saw, which took no part in fitting. Open a row for its curve and "
        f"pictures.</p>{heads('controls', _TEXTS, _NUMBERS)}<div class='list controls'>{rows}</div>"
        f"{_cross_talk(usable, drawn)}"
    )


def _cross_talk(usable: int, drawn: Mapping[str, bytes]) -> str:
    if "cross_talk" not in drawn:
        return "<p><b>No control can be used with this model.</b></p>" if not usable else ""
    alt = f"Cross-talk of {usable} controls: what else moves when each is changed"
    caption = "In a row what changes, in SDs of held-out frames, when that control changes by one SD. 1 is itself."
    return f"<h3 id=cross-talk>What moves with what</h3>{figure(drawn['cross_talk'], alt, caption, wide=True)}"


def _control(name: str, control: MeasuredControl, shown: Shown, drawn: Mapping[str, bytes]) -> str:
    usable = control.status != "unavailable"
    reason = f"<small>{escape(control.reason)}</small>" if control.reason else ""
    error = _number(control.error, ".2g", control.unit) if usable else ""
    cells = (
        f"<span class=name>{escape(name)}</span>",
        f"<span class={control.status}>{SYMBOLS[control.status]} {control.status}</span>",
        f"<span class=meaning>{escape(control.meaning)}{reason}</span>",
        number_cell("safe", _range(control) if usable else ""),
        number_cell("error", error),
        number_cell("R²", _number(control.r2, ".2f")),
        number_cell("2nd observer", _number(control.second, ".2f")),
    )
    body = [
        f"<div class=side>{_curve(name, shown, drawn)}<div>{_made_of(control)}"
        f"{_moves_too(control, shown.spread.by_control, name)}</div></div>"
    ]
    strip = shown.pictures.get(f"controls/{name}")
    if strip is not None:
        alt = f"People with {words(name)} changed, level by level"
        body.append(f"<h3>Pictures</h3><div class=wide>{image(strip, alt)}</div>")
    return opens(row("".join(cells)), "".join(body), id=f"control-{name}", **{"data-status": control.status})


def _curve(name: str, shown: Shown, drawn: Mapping[str, bytes]) -> str:
    """The calibration chart; nothing where no path was traced."""
    if f"calibration/{name}" not in drawn or shown.controls_response is None:
        return ""
    people = len(shown.controls_response.people)
    alt = f"Calibration of {words(name)}: change by coefficient, {people} people"
    return figure(drawn[f"calibration/{name}"], alt, f"{people} people")


def _made_of(control: MeasuredControl) -> str:
    if not control.weights:
        return "<h3>Made of</h3><p class=muted>no direction moves it enough</p>"
    ordered = sorted(control.weights.items(), key=lambda item: -abs(item[1]))
    bars = value_bars(
        [(f"<a href='#direction-{index}'>direction {index}</a>", weight) for index, weight in ordered], 1.0
    )
    return f"<h3>Made of</h3>{bars}"


def _moves_too(control: MeasuredControl, spread: Mapping[str, float], name: str) -> str:
    """The largest entries of its cross-talk, in the others' own units."""
    own = spread.get(name, np.nan)

    def size(item: tuple[str, float]) -> float:
        scale = spread.get(item[0], np.nan)
        return abs(item[1]) * own / scale if scale > 0 and np.isfinite(own) else abs(item[1])

    ordered = sorted(control.cross_talk.items(), key=size, reverse=True)[:_MOST_CROSS_TALK]
    if not ordered:
        return ""
    step = 10 if control.unit == DEGREES else 0.1
    lines = "".join(
        f"<tr><td>{escape(words(other))}<td class=number>{escape(_in_unit(change * step, other))}"
        for other, change in ordered
    )
    text = f"<h3>Moves too, for {escape(charts.with_unit(signed(step), control.unit))}</h3>"
    return f"{text}<table class=slim>{lines}</table>"


def _in_unit(change: float, name: str) -> str:
    return charts.with_unit(signed(change, 2), CONTROLS[name].unit if name in CONTROLS else "")


def _range(control: MeasuredControl) -> str:
    low, high = control.safe
    return charts.with_unit(f"{signed(low)} … {signed(high)}", control.unit)


def _number(value: float | None, how: str, unit: str = "") -> str:
    return "" if value is None else charts.with_unit(f"{value:{how}}".replace("-", "\N{MINUS SIGN}"), unit)


def counts(file: ControlsFile) -> dict[Status, int]:
    """How many controls have each status."""
    found: Sequence[Status] = [control.status for control in file.controls.values()]
    return {status: found.count(status) for status in PROMISES}
