"""Building blocks of pages that need no other file: page, tiles, tables, pictures. Text that is given is escaped."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1440px; padding: 0 1rem; color: #1c1c1c }
h2 { margin: 2.2rem 0 .4rem } p { max-width: 75ch; margin: .3rem 0 .8rem }
table { border-collapse: collapse; margin: .3rem 0 1rem } td, th { padding: .15rem .9rem .15rem 0; text-align: left }
th { border-bottom: 1px solid #999 } .number { text-align: right; font-variant-numeric: tabular-nums }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem }
.tiles div { background: #f3f5f4; padding: .5rem 1rem; border-radius: 6px }
.tiles b { font-size: 1.5rem; display: block } figure { margin: 0 }
figcaption { font-size: 12px; overflow-wrap: anywhere }
.muted { color: #707070; font-weight: normal }
"""
"""Of every page; a page's own style comes after it."""


def page(title: str, sections: Iterable[str], style: str = "", script: str = "") -> bytes:
    """A whole page that needs no other file.

    Args:
        sections: HTML.
        style, script: the page's own, written by us: they are not escaped.
    """
    head = (
        f"<meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style>"
    )
    runs = f"<script>{script}</script>" if script else ""
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(sections)}{runs}</body></html>".encode()


def tiles(numbers: Mapping[str, str]) -> str:
    """A few numbers, large."""
    boxes = (f"<div><b>{escape(value)}</b>{escape(what)}</div>" for what, value in numbers.items())
    return f"<div class=tiles>{''.join(boxes)}</div>"


def table(head: Sequence[str], rows: Iterable[Sequence[str | float]]) -> str:
    """A table; numbers are set to the right."""
    lines = [f"<tr>{''.join(f'<th>{escape(cell)}' for cell in head)}"] if head else []
    lines += [f"<tr>{''.join(_cell(cell) for cell in row)}" for row in rows]
    return f"<table>{''.join(lines)}</table>"


def number(value: float) -> str:
    """A number as it is read: whole ones, and large ones, with all their digits."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,g}" if abs(value) < 100_000 else f"{value:,.0f}"


def _cell(cell: str | float) -> str:
    return f"<td>{escape(cell)}" if isinstance(cell, str) else f"<td class=number>{number(cell)}"


def words(name: str) -> str:
    """A short name as it is read."""
    return name.replace("_", " ")


def image(data: bytes, alt: str, kind: str = "jpeg") -> str:
    """A picture inside the page.

    Args:
        alt: what it shows, for who cannot see it.
        kind: of its bytes, as in `image/KIND`.
    """
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return f"<img loading=lazy alt='{escape(alt)}' src='{source}'>"


def svg(width: int, height: int, parts: Iterable[str]) -> str:
    """A drawing inside the page, of SVG elements."""
    return f"<svg width={width} height={height} viewBox='0 0 {width} {height}' role=img>{''.join(parts)}</svg>"
