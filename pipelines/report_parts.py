"""The report's building blocks in HTML: tables, tables with bars, sheets of pictures. Everything given is escaped."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from pipelines.outcomes import KEPT, Outcome
from pipelines.report_charts import bar

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1440px; padding: 0 1rem; color: #1c1c1c }
h2 { margin: 2.2rem 0 .4rem } p { max-width: 75ch; margin: .3rem 0 .8rem }
table { border-collapse: collapse; margin: .3rem 0 1rem } td, th { padding: .15rem .9rem .15rem 0; text-align: left }
th { border-bottom: 1px solid #999 } .number { text-align: right; font-variant-numeric: tabular-nums }
.sheet, .charts, .tiles { display: flex; flex-wrap: wrap; gap: .8rem } .charts { gap: 1.2rem 2rem }
.tiles div { background: #f3f5f4; padding: .5rem 1rem; border-radius: 6px }
.tiles b { font-size: 1.5rem; display: block } figure { margin: 0; width: 448px } figure.chart { width: 300px }
figcaption { font-size: 12px; overflow-wrap: anywhere }
.sheet img { display: block; width: 448px; height: 192px } .pair { width: 896px } .pair > div { display: flex }
.person { display: flex; gap: .3rem; margin-bottom: .5rem; align-items: center }
.person img { width: 112px; height: 112px; object-fit: cover; object-position: right }
.muted { color: #707070; font-weight: normal } svg { overflow: visible; display: block }
svg text { font: 11px system-ui, sans-serif; fill: #333 } svg text.big { font-size: 14px }
"""


def page(title: str, sections: Iterable[str]) -> bytes:
    """A whole page that needs no other file."""
    head = f"<meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(sections)}</body></html>".encode()


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


def bars(counts: Mapping[str, int] | Mapping[str, float], all_kept: bool = False) -> str:
    """A line for each count with its bar, green for what was kept. Whole numbers get their sum below."""
    most = max(counts.values(), default=0)
    lines = [
        f"<tr><td>{escape(words(name))}<td class=number>{number(count)}<td>{bar(count, most, all_kept or name == KEPT)}"
        for name, count in counts.items()
    ]
    if len(counts) > 1 and all(isinstance(count, int) for count in counts.values()):
        lines.append(f"<tr class=muted><td>together<td class=number>{sum(counts.values()):,}")
    return f"<table>{''.join(lines)}</table>"


def words(name: str) -> str:
    """A short name as it is read."""
    return name.replace("_", " ")


def file_name(outcome: Outcome) -> str:
    """The source's name without its folder."""
    return outcome.source_uri.rsplit("/", 1)[-1]


def labels(outcome: Outcome) -> tuple[str, str]:
    """Which part of which source it is, and what became of it."""
    piece = "" if not outcome.segment else f" segment {outcome.segment}"
    face = "" if outcome.track is None else f" face {outcome.track}"
    start = "" if outcome.start_s is None else f" from {outcome.start_s:.1f} s"
    return f"{file_name(outcome)}{piece}{face}{start}", f"{words(outcome.reason)}: {outcome.detail}"


@dataclass(frozen=True, slots=True)
class Pictures:
    """The previews that the page shows, by name (JPEG)."""

    by_name: Mapping[str, bytes]

    def figure(self, outcome: Outcome) -> str:
        """A preview with its two lines below."""
        lines = "<br>".join(escape(line) for line in labels(outcome))
        return f"<figure>{self.image(outcome)}<figcaption>{lines}</figcaption></figure>"

    def image(self, outcome: Outcome) -> str:
        """The picture alone; nothing where there is none."""
        data = self.by_name.get(outcome.preview or "")
        if data is None:
            return ""
        source = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
        return f"<img loading=lazy alt='{escape(labels(outcome)[0])}' src='{source}'>"

    def sheet(self, outcomes: Iterable[Outcome]) -> str:
        """Many previews."""
        return f"<div class=sheet>{''.join(self.figure(outcome) for outcome in outcomes)}</div>"
