"""The report's own building blocks: tables with bars, sheets of previews. Everything given is escaped."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from liax.html_page import image, number, words
from pipelines.outcomes import KEPT, Outcome
from pipelines.report_charts import bar

STYLE = """
.sheet, .charts { display: flex; flex-wrap: wrap; gap: .8rem } .charts { gap: 1.2rem 2rem }
figure { width: 448px } figure.chart { width: 300px }
.sheet img { display: block; width: 448px; height: 192px } .pair { width: 896px } .pair > div { display: flex }
.person { display: flex; gap: .3rem; margin-bottom: .5rem; align-items: center }
.person img { width: 112px; height: 112px; object-fit: cover; object-position: right }
svg { overflow: visible; display: block }
svg text { font: 11px system-ui, sans-serif; fill: #333 } svg text.big { font-size: 14px }
"""
"""Added to `liax.html_page`'s."""


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
        return "" if data is None else image(data, labels(outcome)[0])

    def sheet(self, outcomes: Iterable[Outcome]) -> str:
        """Many previews."""
        return f"<div class=sheet>{''.join(self.figure(outcome) for outcome in outcomes)}</div>"
