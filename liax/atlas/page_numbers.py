"""The atlas's page: numbers of the whole dictionary, each with a line that says what it means."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from liax.atlas.page_parts import figure, opens, value_bars
from liax.html_page import table, words

_FORMS = {
    "": "raw",
    "_normalised": "normalised",
    "_gaussian": "Gaussian, raw",
    "_gaussian_normalised": "Gaussian, norm.",
}
_MEASURES = {
    "hoyer": ("Hoyer", "0 if all directions are equal, 1 if only one is used (Hoyer 2004, section 3.1)"),
    "gini": ("Gini", "the same ends, by the order of magnitudes (Hurley and Rickard 2009, table I)"),
    "l0_1": ("L0 at 1 %", "directions beyond 1 % of the picture's largest"),
    "l0_10": ("L0 at 10 %", "directions beyond 10 % of it"),
    "energy_90": ("90 % of the energy", "directions, the largest first, that hold 90 % of the code's square"),
}

_OBSERVATION = {
    "disentanglement": (
        "disentanglement",
        "1 if each direction goes with one control only, 0 if with all alike (DCI, Eastwood and Williams 2018)",
    ),
    "completeness": ("completeness", "1 if each control goes with one direction only (the same)"),
    "informativeness": ("informativeness", "R² of controls predicted from codes, on other people (the same)"),
    "mig": (
        "MIG",
        "by how much the most telling direction leads, in shares of what there is to tell (Chen et al. 2018)",
    ),
    "sap": ("SAP", "the same lead, of straight lines' R² on other people (Kumar et al. 2018)"),
}
_STABILITY = {
    "share": "of matched pairs whose similarity is at least the bound",
}


def codes_section(passive: Mapping[str, Any], drawn: Mapping[str, bytes]) -> str:
    """How sparse the codes are, beside what nothing made sparse."""
    tables = "".join(
        f"<h3>{kind}</h3>{_sparsity(passive[kind])}" for kind in ("absolute", "relative") if passive.get(kind)
    )
    alt = "Hoyer sparsity of codes beside Gaussian numbers"
    chart = figure(drawn["codes"], alt) if "codes" in drawn else ""
    dead = passive.get("dead", [])
    stands = f"{len(dead)} directions are dead: {', '.join(map(str, dead))}. " if dead else "No direction is dead. "
    return (
        "<h2 id=codes>How sparse the codes are</h2>"
        "<p>Of held-out frames as they are. Absolute: a picture's own code; relative: less that of its clip's first "
        "frame, which is what is transferred. Normalised: each direction divided by its standard deviation. Gaussian: "
        "numbers with the same standard deviations that nothing made sparse; only what exceeds them is sparsity. "
        f"Definitions: <code>liax/evaluation/codes.py</code>.</p><p>{escape(stands)}"
        f"{_cell(passive.get('energy_90'))} of {len(passive.get('directions', []))} directions hold 90 % of the "
        f"variance of {_cell(passive.get('frames'))} frames.</p>{chart}"
        f"{tables}"
    )


def _sparsity(numbers: Mapping[str, Any]) -> str:
    rows = [
        (title, *(_cell(numbers.get(name + form)) for form in _FORMS), meaning)
        for name, (title, meaning) in _MEASURES.items()
        if name in numbers
    ]
    return f"<div class='wide numbers'>{table(['measure', *_FORMS.values(), 'what it says'], rows)}</div>"


def observation_section(observational: Mapping[str, Any]) -> str:
    """How well codes and controls go with each other in frames as they are."""
    if not observational:
        return ""
    rows = [(title, _cell(observational.get(name)), meaning) for name, (title, meaning) in _OBSERVATION.items()]
    people, frames = observational.get("people", {}), observational.get("frames", {})
    split = ", ".join(
        f"{words(side)} {_cell(people.get(side))} people ({_cell(frames.get(side))} frames)" for side in people
    )
    reason = observational.get("reason", "")
    by_control = observational.get("informativeness_by_control") or {}
    bars = value_bars([(escape(words(name)), value) for name, value in by_control.items()], 1.0)
    told = opens("<span class=name>Of which controls codes tell, R²</span>", bars) if by_control else ""
    why = f"<p><b>No numbers: {escape(reason)}.</b></p>" if reason else ""
    return (
        "<h2 id=observation>What observation says</h2>"
        "<p>Codes of held-out frames beside what the faces in them show. <b>Observation confounds</b>: who turns the "
        "head also looks aside, so that a direction of the head goes with the gaze, too. Nothing is named by these "
        "numbers; controls come from moving one direction at a time.</p>"
        f"{why}<div class='wide numbers'>{table(['number', 'value', 'what it says'], rows)}</div>{told}"
        f"<p class=muted>{escape(split)}. Definitions: <code>liax/atlas/observational.py</code>.</p>"
    )


def stability_section(stability: Mapping[str, Any], drawn: Mapping[str, bytes]) -> str:
    """Whether other dictionaries have the same directions."""
    numbers = numbers_table(stability, _STABILITY)
    if not numbers:
        return ""
    alt = "Similarity of matched directions, most alike first, against chance"
    chart = figure(drawn["stability"], alt) if "stability" in drawn else ""
    return (
        "<h2 id=stability>Stability</h2><p>Directions of this dictionary matched with those of others by what they do "
        "to faces: by the cosine of their slopes on all attributes, each other direction once.</p>"
        f"{chart}{numbers}"
    )


def numbers_table(numbers: Mapping[str, Any], meanings: Mapping[str, str]) -> str:
    """Numbers and short texts by name, nested ones with dotted names, each with its meaning where there is one.

    Long lists stay in the files.
    """
    rows = [(words(name), _cell(value), meanings.get(name.rsplit(".", 1)[-1], "")) for name, value in _flat(numbers)]
    return f"<div class='wide numbers'>{table(['number', 'value', 'what it says'], rows)}</div>" if rows else ""


def _flat(numbers: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{under}{name}.")
        elif value is None or isinstance(value, str | int | float):
            yield f"{under}{name}", value


def _cell(value: Any) -> str:
    if value is None:
        return "unavailable"
    if isinstance(value, float):
        return f"{value:.{1 if abs(value) >= 10 else 3}f}".replace("-", "\N{MINUS SIGN}")
    return f"{value:,}" if isinstance(value, int) else str(value)
