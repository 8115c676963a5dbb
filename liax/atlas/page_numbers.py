"""The atlas's page: numbers of the whole dictionary, each with a line that says what it means."""

from collections.abc import Mapping
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
    bars = value_bars([(escape(words(name)), value) for name, value in by_control.items()], 1.0, sign=False)
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
    if not stability:
        return ""
    others = "".join(
        _match(other, found, drawn.get(f"stability/{place}")) for place, (other, found) in enumerate(stability.items())
    )
    return (
        "<h2 id=stability>Stability</h2><p>Directions of this dictionary matched one to one with those of another, by "
        "what they do to faces: the cosine of their slopes on all attributes; order, sign and scale do not matter. "
        "Chance, permuted: attributes shuffled, as if the two had nothing to do with each other. Chance, rotated: the "
        "other's motions in a random basis, which a model without a reason for its axes would learn. p: share of a "
        f"thousand draws that reach what was found. Definitions: <code>liax/atlas/stability.py</code>.</p>{others}"
    )


def _match(other: str, found: Mapping[str, Any], chart: bytes | None) -> str:
    matches = found["matches"]
    here, there = found["moving"]
    counted = f"of {max(here, there)} that move anything ({here} here, {there} there), |cosine| ≥ {found['alike']:g}"
    rows = [("share alike", _cell(found["share_alike"]), counted)]
    for name, chance in found["chance"].items():
        if chance is not None:
            said = f"by chance, mean; 95 % of draws stay within {_cell(chance['most_95'])}; p = {chance['p']:.2g}"
            rows.append((f"share alike, {name}", _cell(chance["mean"]), said))
    still = " and ".join(map(str, found["still"]))
    rows.append(("moving nothing", still, "directions here and there that were left out"))
    pairs = value_bars(
        [(f"{_link(one['one'])} and its {int(one['other'])}", float(one["cosine"])) for one in matches], 1.0
    )
    drawn = figure(chart, f"Likeness of {len(matches)} matched directions, most alike first") if chart else ""
    listed = opens("<span class=name>All pairs</span>", pairs) if matches else ""
    return f"<h3>{escape(other)}</h3>{drawn}<div class='wide numbers'>{table([], rows)}</div>{listed}"


def _link(direction: int) -> str:
    return f"<a href='#direction-{int(direction)}'>direction {int(direction)}</a>"


def _cell(value: Any) -> str:
    if value is None:
        return "unavailable"
    if isinstance(value, float):
        return f"{value:.{1 if abs(value) >= 10 else 3}f}".replace("-", "\N{MINUS SIGN}")
    return f"{value:,}" if isinstance(value, int) else str(value)
