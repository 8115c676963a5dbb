"""The atlas's page, `index.html`: one file with everything in it, which opens from a disk and asks for nothing.

Controls first, for who wants to use the model; then the directions that they are made of; then the numbers of the whole
dictionary.
"""

from collections.abc import Mapping
from html import escape

from liax.atlas.page_controls import controls_section, counts
from liax.atlas.page_directions import directions_section
from liax.atlas.page_numbers import codes_section, observation_section, stability_section
from liax.atlas.page_parts import SYMBOLS
from liax.atlas.page_style import SCRIPT, STYLE
from liax.atlas.shown import Shown
from liax.html_page import page, table, tiles, words

_DEFINITIONS = "docs/controls.md"


def index_html(shown: Shown, drawn: Mapping[str, bytes]) -> bytes:
    """The page.

    Args:
        drawn: see `liax.atlas.plots.plots`. A plot that is not there is not shown.
    """
    scores = shown.scores
    sections = {
        "controls": ("Controls", controls_section(shown, drawn)),
        "directions": ("Directions", directions_section(shown, drawn)),
        "codes": ("Sparsity", codes_section(scores["passive"], drawn) if scores.get("passive") else ""),
        "observation": ("Observation", observation_section(scores.get("observational") or {})),
        "stability": ("Stability", stability_section(scores.get("stability") or {}, drawn)),
        "again": ("Measured how", _again(shown)),
    }
    there = {name: pair for name, pair in sections.items() if pair[1]}
    links = "".join(f"<a href='#{name}'>{title}</a>" for name, (title, _) in there.items())
    body = [_head(shown), f"<nav>{links}</nav>", *(section for _, section in there.values())]
    return page(f"What {shown.model} can do", body, STYLE, SCRIPT)


def _head(shown: Shown) -> str:
    found = counts(shown.controls)
    dead = sum(atom.dead for atom in shown.atoms)
    numbers = {
        **{f"{SYMBOLS[status]} {status}": f"{count}" for status, count in found.items()},
        "directions": f"{len(shown.atoms):,}",
        "of them dead": f"{dead:,}",
        "people moved": f"{len(shown.directions.people):,}",
        "held-out frames": f"{len(shown.observed.frame_F):,}",
    }
    return (
        f"<h1>What {escape(shown.model)} can do</h1><p>What each direction of its dictionary does to faces, measured, "
        f"and the controls that could be made of them.</p>{tiles(numbers)}"
    )


def _again(shown: Shown) -> str:
    """How to measure the same again, and what was missing this time."""
    rows = [("weights, SHA-256", shown.controls.model_sha256)]
    rows += [(words(name), str(value)) for name, value in shown.controls.measured_on.items()]
    rows += [(f"no {words(name)}", str(why)) for name, why in (shown.scores.get("unavailable") or {}).items()]
    for kind, reasons in (shown.scores.get("left_out") or {}).items():
        rows += [(f"{words(kind)} left out", f"{count}: {words(reason)}") for reason, count in reasons.items()]
    return (
        f"<h2 id=again>Measured how</h2><pre>{escape(shown.command)}</pre><div class=again>{table([], rows)}</div>"
        f"<p>What each file and number means: <code>{_DEFINITIONS}</code>.</p>"
    )
