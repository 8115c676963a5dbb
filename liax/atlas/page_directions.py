"""The atlas's page: the directions, to be sorted and searched, each with what it moves."""

from collections.abc import Mapping, Sequence
from html import escape

from liax.atlas.atoms import Atom
from liax.atlas.page_parts import figure, heads, number_cell, opens, percent, row, signed, value_bars
from liax.atlas.plots import SMALL, strong, widest
from liax.atlas.shown import Shown
from liax.html_page import image, words

_TEXTS = ("no.", "moves most")
_NUMBERS = ("slope", "selectivity", "R²", "monotone", "drift", "off-face", "detection", "SD of code")
_SORTS = (
    ("index", "number", True),
    ("slope", "strongest slope", False),
    ("selectivity", "selectivity", False),
    ("r2", "linearity, R²", False),
    ("monotonicity", "monotonicity", False),
    ("drift", "least identity drift", True),
    ("offface", "least off-face change", True),
    ("detection", "lowest detection rate", True),
    ("sd", "spread of the code", False),
)
"""What the list can be sorted by: a data attribute, its name, and whether small ones come first."""
_MOST_BARS = 8
"""How many controls are named with a direction."""


def directions_section(shown: Shown, drawn: Mapping[str, bytes]) -> str:
    """All directions in their order.

    Args:
        drawn: see `liax.atlas.plots.plots`.
    """
    rows = "".join(_direction(atom, shown, drawn) for atom in shown.atoms)
    sorts = "".join(
        f"<option value={by}{' data-up=1' if up else ''}>{escape(name)}</option>" for by, name, up in _SORTS
    )
    tools = (
        "<div class=tools id=tools hidden><label>find <input type=search id=search placeholder='7, yaw, dead …' "
        f"autocomplete=off></label><label>sort by <select id=sort>{sorts}</select></label>"
        "<label><input type=checkbox id=dead checked> dead ones too</label><span class=muted id=shown></span></div>"
    )
    return (
        "<section><h2 id=directions>Directions</h2><p>Each was moved by itself on every person. Slope: change of a "
        "control in SDs of held-out frames for one SD of the direction's code. Selectivity: how much of all that it "
        "moves is its strongest control or akin to that. R²: how straight the response is; monotone: how steadily it "
        "goes. Drift: how much of the person's likeness is lost. Off-face: how much the picture changes where no face "
        "is. "
        f"Slopes below {percent(SMALL)} of a direction's strongest are left out.</p>"
        f"{_together(shown)}{_effects(shown, drawn)}{tools}{heads('directions', _TEXTS, _NUMBERS)}"
        f"<div class='list directions'>{rows}</div></section>"
    )


def _together(shown: Shown) -> str:
    """All directions in a sentence; nothing where they were not summed up."""
    found = shown.scores.get("interventional") or {}
    if not found:
        return ""
    names = {"selectivity": "selectivity", "linearity": "R²", "drift": "drift", "off_face": "off-face change"}
    medians = [f"{title} {found[name]:.3g}" for name, title in names.items() if found.get(name) is not None]
    if found.get("path_length") is not None:
        medians.append(f"perceptual path length (mean) {found['path_length']:.3g}")
    told = f" Of those, medians: {', '.join(medians)}." if medians else ""
    return f"<p>{found['moving']} of {found['directions']} directions move something clearly.{escape(told)}</p>"


def _effects(shown: Shown, drawn: Mapping[str, bytes]) -> str:
    if "effects" not in drawn:
        return ""
    alt = f"Slopes of all controls for {len(shown.atoms)} directions"
    caption = "A row is a direction, a column a control. An interpretable dictionary has few strong cells in a row."
    chart = figure(drawn["effects"], alt, caption, wide=True)
    return f"<details class=chart><summary><span class=name>All slopes in one picture</span></summary>{chart}</details>"


def _direction(atom: Atom, shown: Shown, drawn: Mapping[str, bytes]) -> str:
    slopes = strong(atom)
    cells = [
        f"<span class=name>{atom.direction}</span>",
        f"<span>{_says(atom)}</span>",
        number_cell("slope", "" if atom.slope is None else signed(atom.slope, 2)),
        number_cell("selectivity", _share(atom.selectivity)),
        number_cell("R²", _share(atom.r2)),
        number_cell("monotone", _share(atom.monotonicity)),
        number_cell("drift", _share(atom.drift, 3)),
        number_cell("off-face", _share(atom.off_face, 3)),
        number_cell("detection", "" if atom.detection is None else percent(atom.detection)),
        number_cell("SD", f"{atom.sd:.2g}"),
    ]
    body = _strips(atom, shown.pictures) + _charts(atom, len(shown.directions.people), slopes, drawn)
    return opens(row("".join(cells)), body, id=f"direction-{atom.direction}", **_data(atom, slopes))


def _says(atom: Atom) -> str:
    """What it moves most, in a word."""
    dead = "<span class=dead>dead</span>"
    if atom.strongest is not None:
        return escape(words(atom.strongest)) + (f" · {dead}" if atom.dead else "")
    if atom.dead:
        return dead
    moved = widest(atom)
    return "<span class=muted>nothing</span>" if moved is None else f"{escape(words(moved))}, there and back"


def _data(atom: Atom, slopes: Sequence[tuple[str, float]]) -> dict[str, str]:
    """What the page sorts and searches by."""
    numbers = {
        "index": atom.direction,
        "slope": None if atom.slope is None else abs(atom.slope),
        "selectivity": atom.selectivity,
        "r2": atom.r2,
        "monotonicity": atom.monotonicity,
        "drift": atom.drift,
        "offface": atom.off_face,
        "detection": atom.detection,
        "sd": atom.sd,
    }
    found = [str(atom.direction), *(name for name, _ in slopes), *(["dead"] if atom.dead else [])]
    return {
        **{f"data-{name}": "" if value is None else f"{value:.6g}" for name, value in numbers.items()},
        "data-dead": str(int(atom.dead)),
        "data-words": " ".join(found).lower(),
    }


def _strips(atom: Atom, pictures: Mapping[str, bytes]) -> str:
    shown = {
        "frames": (
            "Frames where it is lowest, and highest",
            "Held-out frames where the coefficient is lowest, and highest",
        ),
        "directions": ("Moved along it", f"People moved along direction {atom.direction}, level by level"),
    }
    blocks = ""
    for kind, (title, alt) in shown.items():
        strip = pictures.get(f"{kind}/{atom.direction}")
        if strip is not None:
            blocks += f"<div><h3>{title}</h3><div class=wide>{image(strip, alt)}</div></div>"
    return f"<div class=side>{blocks}</div>" if blocks else ""


def _charts(atom: Atom, people: int, slopes: Sequence[tuple[str, float]], drawn: Mapping[str, bytes]) -> str:
    number, shown = atom.direction, ""
    if f"codes/{number}" in drawn:
        shown += figure(
            drawn[f"codes/{number}"], f"Histogram of the coefficients of direction {number}", "held-out frames"
        )
    if f"response/{number}" in drawn:
        alt = f"What direction {number} moves, by coefficient"
        shown += figure(drawn[f"response/{number}"], alt, f"median and 10–90 % of {people} people")
    if slopes:
        most = abs(slopes[0][1])
        bars = value_bars([(escape(words(name)), value) for name, value in slopes[:_MOST_BARS]], most)
        shown += f"<div><h3>Moves, in SDs for one SD</h3>{bars}</div>"
    return f"<div class=side>{shown}</div>"


def _share(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
