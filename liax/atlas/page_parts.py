"""The atlas's page: what its lists are made of. Everything given as text is escaped, unless it says HTML."""

from collections.abc import Iterable, Sequence
from html import escape

from liax.atlas import charts
from liax.html_page import image

SYMBOLS = {"certified": "●", "approximate": "◐", "unavailable": "○"}
"""Beside the words, so that nothing is said by its colour alone."""
_BAR_REM = 7.0


def figure(svg: bytes, alt: str, caption: str = "", wide: bool = False) -> str:
    """A chart with a line below.

    Args:
        wide: at its own size, to be scrolled sideways on a phone, for what cannot be read smaller.
    """
    drawn = image(svg, alt, charts.KIND)
    if wide:
        drawn = f"<div class=wide>{drawn}</div>"
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{drawn}{below}</figure>"


def heads(of: str, texts: Sequence[str], numbers: Sequence[str]) -> str:
    """What stands above the rows of the list `of`, in its columns."""
    cells = [f"<span>{escape(one)}</span>" for one in texts] + [
        f"<span class=n>{escape(one)}</span>" for one in numbers
    ]
    return f"<div class={of}><div class='row heads'>{''.join(cells)}</div></div>"


def row(cells: str) -> str:
    """A line of a list, of HTML spans."""
    return f"<div class=row>{cells}</div>"


def number_cell(label: str, value: str) -> str:
    """A number of a list's line; the label stands before it where the columns have no heads, on a phone."""
    return f"<span class=n data-label='{escape(label)}'>{escape(value)}</span>"


def opens(summary: str, body: str, **given: str) -> str:
    """A line (HTML) that opens what belongs to it (HTML).

    Args:
        given: attributes of the element.
    """
    attributes = "".join(f" {name}='{escape(value)}'" for name, value in given.items())
    return f"<details{attributes}><summary>{summary}</summary><div class=body>{body}</div></details>"


def signed(value: float, digits: int = 3) -> str:
    """A change as it is read: with its sign, and so many digits that say something."""
    return "0" if value == 0 else f"{value:+.{digits}g}".replace("-", "\N{MINUS SIGN}")


def percent(share: float) -> str:
    """A share as it is read."""
    return f"{100 * share:.0f} %"


def value_bars(values: Iterable[tuple[str, float]], most: float, sign: bool = True) -> str:
    """A line for each value with its bar, of another colour below 0.

    Args:
        values: what it is (HTML), and how much.
        most: the magnitude that fills a bar.
        sign: whether a + is written.
    """
    lines = []
    for what, value in values:
        width = _BAR_REM * min(abs(value) / most, 1.0)
        below = " below" if value < 0 else ""
        text = signed(value, 2) if sign else f"{value:.2f}"
        bar = f"<span class='bar{below}' style='width:{width:.2f}rem'></span>"
        lines.append(f"<tr><td>{what}<td class=number>{text}<td>{bar}")
    return f"<table class=slim>{''.join(lines)}</table>"
