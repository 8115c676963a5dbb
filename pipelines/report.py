"""Stage 9, report: `report.html`, one file with everything in it, and `contact_sheet.png`."""

import base64
from collections.abc import Sequence
from html import escape

from liax import storage
from liax.sample import SampleInfo
from pipelines.contact_sheet import contact_sheet
from pipelines.outcomes import KEPT, Outcome
from pipelines.run import Run
from pipelines.summary import Summary

MOST_PREVIEWS = 120
MOST_ROWS = 1000
HISTOGRAM_BINS = 10

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1500px; padding: 0 1rem; color: #1c1c1c }
table { border-collapse: collapse; margin: .5rem 0 1.5rem } td, th { padding: .2rem .8rem .2rem 0; text-align: left }
th { border-bottom: 1px solid #999 } .number { text-align: right } .bar { background: #4a8; height: .8rem }
.lost .bar { background: #c66 } .sheet { display: flex; flex-wrap: wrap; gap: .6rem } figure { margin: 0; width: 448px }
figcaption { font-size: 12px; overflow-wrap: anywhere } .muted { color: #777 } code { font-size: 13px }
"""


def write_report(run: Run, summary: Summary, outcomes: Sequence[Outcome], clips: Sequence[SampleInfo]) -> None:
    """Write both files. They are made from the records alone and can be made again at any time."""
    kept = [outcome for outcome in outcomes if outcome.reason == KEPT]
    lost = _first_of_each([outcome for outcome in outcomes if outcome.reason != KEPT and outcome.preview])
    shown = _spread(kept, MOST_PREVIEWS), _spread(lost, MOST_PREVIEWS)
    pictures = {name: storage.read_bytes(run.preview(name)) for part in shown for o in part if (name := o.preview)}
    cells = [(pictures[name], *_labels(outcome)) for part in shown for outcome in part if (name := outcome.preview)]
    storage.write_bytes(run.file("contact_sheet.png"), contact_sheet(cells))
    sections = [
        _numbers(summary),
        _bars("What became of the videos", summary.sources_by_result),
        _bars("What became of the tracks in them", summary.outcomes),
        _histogram("Length of the clips, s", [clip.frames / clip.fps for clip in clips]),
        _histogram("Size of the faces in the source, px", [clip.scores["face_px"] for clip in clips]),
        _bars("Where the time went, s", {name: round(value, 1) for name, value in summary.seconds.items()}),
        _sheet("Clips", shown[0], pictures, len(kept)),
        _sheet("Rejected", shown[1], pictures, len(lost)),
        _table(outcomes),
    ]
    head = f"<meta charset=utf-8><title>Preprocessing</title><style>{STYLE}</style>"
    page = f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(sections)}</body></html>"
    storage.write_bytes(run.file("report.html"), page.encode())


def _first_of_each(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """One outcome for each source and reason: a video with a hundred tiny faces is shown once."""
    return list({(outcome.source_uri, outcome.reason): outcome for outcome in reversed(outcomes)}.values())[::-1]


def _spread(outcomes: Sequence[Outcome], most: int) -> list[Outcome]:
    """At most so many, evenly spread over all."""
    if len(outcomes) <= most:
        return list(outcomes)
    return [outcomes[index * len(outcomes) // most] for index in range(most)]


def _labels(outcome: Outcome) -> tuple[str, str]:
    track = "" if outcome.track is None else f" face {outcome.track}"
    start = "" if outcome.start_s is None else f" from {outcome.start_s:.1f} s"
    return f"{_name(outcome)}{track}{start}", f"{_words(outcome.reason)}: {outcome.detail}"


def _name(outcome: Outcome) -> str:
    return outcome.source_uri.rsplit("/", 1)[-1]


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def _numbers(summary: Summary) -> str:
    splits = ", ".join(f"{count} {side}" for side, count in summary.splits.items())
    return (
        f"<h1>{summary.sources} videos → {summary.clips} clips</h1><p>{summary.sources_kept} videos gave "
        f"{summary.hours * 60:.1f} minutes of clips ({splits or 'none'}) in {summary.shards} shards; "
        f"{summary.sources - summary.sources_kept} gave none.</p>"
    )


def _bars(title: str, counts: dict[str, int] | dict[str, float]) -> str:
    most = max([*counts.values(), 1e-9])
    rows = "".join(
        f"<tr class={'kept' if name == KEPT else 'lost'}><td>{escape(_words(name))}<td class=number>{count}"
        f"<td><div class=bar style='width:{300 * count / most:.0f}px'></div>"
        for name, count in counts.items()
    )
    total = sum(counts.values())
    all_of_it = (
        f"<tr><td class=muted>together<td class=number>{total:g}"
        if all(isinstance(c, int) for c in counts.values())
        else ""
    )
    return f"<h2>{escape(title)}</h2><table>{rows}{all_of_it}</table>"


def _histogram(title: str, values: Sequence[float]) -> str:
    if not values:
        return ""
    low, high = min(values), max(values)
    width = (high - low) / HISTOGRAM_BINS or 1.0
    counts = [0] * HISTOGRAM_BINS
    for value in values:
        counts[min(HISTOGRAM_BINS - 1, int((value - low) / width))] += 1
    rows = "".join(
        f"<tr class=kept><td>{low + place * width:.1f} – {low + (place + 1) * width:.1f}<td class=number>{count}"
        f"<td><div class=bar style='width:{300 * count / max(counts):.0f}px'></div>"
        for place, count in enumerate(counts)
    )
    return f"<h2>{escape(title)}</h2><table>{rows}</table>"


def _sheet(title: str, shown: Sequence[Outcome], pictures: dict[str, bytes], total: int) -> str:
    if not shown:
        return ""
    figures = "".join(
        f"<figure><img src='data:image/jpeg;base64,{base64.b64encode(pictures[outcome.preview]).decode()}'>"
        f"<figcaption>{'<br>'.join(escape(line) for line in _labels(outcome))}</figcaption></figure>"
        for outcome in shown
        if outcome.preview
    )
    return (
        f"<h2>{escape(title)} <span class=muted>({len(shown)} of {total})</span></h2><div class=sheet>{figures}</div>"
    )


def _table(outcomes: Sequence[Outcome]) -> str:
    ordered = sorted(outcomes, key=lambda outcome: (outcome.source_uri, outcome.track or 0, outcome.start_s or 0.0))
    rows = ""
    for outcome in ordered[:MOST_ROWS]:
        track = "" if outcome.track is None else str(outcome.track)
        cells = (_name(outcome), track, outcome.stage, _words(outcome.reason), outcome.detail, outcome.key or "")
        rows += "<tr>" + "".join(f"<td>{escape(cell)}" for cell in cells)
    rest = f"<p class=muted>The first {MOST_ROWS} of {len(outcomes)}; all are in outcomes.parquet.</p>"
    head = "<tr><th>video<th>face<th>stage<th>outcome<th>detail<th>clip"
    return f"<h2>Every outcome</h2><table>{head}{rows}</table>{rest if len(outcomes) > MOST_ROWS else ''}"
