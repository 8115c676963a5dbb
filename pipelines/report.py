"""Stage 10, report: `report.html`, one file with everything in it, and `contact_sheet.png`."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from html import escape

from liax import storage
from liax.html_page import page, table, tiles, words
from liax.sample import SampleInfo
from pipelines.contact_sheet import contact_sheet
from pipelines.outcomes import KEPT, Outcome
from pipelines.report_charts import funnel_svg, histogram_svg, pose_map_svg
from pipelines.report_parts import STYLE, Pictures, bars, file_name, labels
from pipelines.run import Run
from pipelines.stills import spread
from pipelines.summary import Summary, person_of

MOST_PREVIEWS = 120
MOST_PAIRS = 40
MOST_PEOPLE, MOST_CLIPS_OF_A_PERSON = 30, 10
MOST_ROWS = 1000
NEAR_DUPLICATES = "near_duplicates"


def write_report(run: Run, summary: Summary, outcomes: Sequence[Outcome], clips: Sequence[SampleInfo]) -> None:
    """Write both files. They are made from the records alone and can be made again at any time.

    Args:
        run: where they go, and where the previews are.
        summary: the numbers; the page shows no others.
        outcomes: every row.
        clips: the kept ones, as the plan decided them.
    """
    kept = _spread([outcome for outcome in outcomes if outcome.reason == KEPT], MOST_PREVIEWS)
    lost = [outcome for outcome in outcomes if outcome.reason != KEPT and outcome.preview]
    shown_lost = _spread_over_reasons(_first_of_each(lost), MOST_PREVIEWS)
    pairs, people = _pairs(outcomes)[:MOST_PAIRS], _people(outcomes, clips)
    members = [outcome for _, shown in people for outcome in shown]
    pictures = _load(run, [*kept, *shown_lost, *(one for pair in pairs for one in pair), *members])
    cells = [(pictures.by_name[o.preview], *labels(o)) for o in (*kept, *shown_lost) if o.preview]
    storage.write_bytes(run.file("contact_sheet.png"), contact_sheet(cells))
    sections = [
        _numbers(summary),
        _funnel(summary),
        _splits(summary),
        _scores(summary),
        f"<h2>Head poses</h2><p>Seconds of clips by the mean pose of each.</p>{pose_map_svg(summary.poses)}",
        _people_section(summary, people, pictures),
        _pairs_section(pairs, pictures, sum(row.stage == NEAR_DUPLICATES for row in outcomes)),
        _section("Clips", pictures.sheet(kept), len(kept), summary.clips),
        _section("Left out", pictures.sheet(shown_lost), len(shown_lost), len(lost)),
        f"<h2>Where the time went, s</h2>{bars(summary.seconds, all_kept=True)}",
        _rows(outcomes),
    ]
    storage.write_bytes(run.file("report.html"), page("Preprocessing", sections, STYLE))


def _load(run: Run, outcomes: Iterable[Outcome]) -> Pictures:
    names = sorted({outcome.preview for outcome in outcomes if outcome.preview})
    with ThreadPoolExecutor(max_workers=16) as threads:  # small files; on S3 each waits for the network
        read = list(threads.map(lambda name: storage.read_bytes(run.preview(name)), names))
    return Pictures(dict(zip(names, read, strict=True)))


def _first_of_each(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """One outcome for each source and reason: a video with a hundred tiny faces is shown once."""
    return list({(outcome.source_uri, outcome.reason): outcome for outcome in reversed(outcomes)}.values())[::-1]


def _spread(outcomes: Sequence[Outcome], most: int) -> list[Outcome]:
    """At most so many, evenly spread over all."""
    return [outcomes[index] for index in spread(len(outcomes), most)]


def _spread_over_reasons(outcomes: Sequence[Outcome], most: int) -> list[Outcome]:
    """At most so many: equally many of each reason, as far as there are, so that a rare one is seen too."""
    groups = defaultdict(list)
    for outcome in outcomes:
        groups[outcome.reason].append(outcome)
    shown: list[Outcome] = []
    for place, group in enumerate(sorted(groups.values(), key=len)):
        shown += _spread(group, (most - len(shown)) // (len(groups) - place))
    return sorted(shown, key=lambda outcome: (outcome.reason, outcome.source_uri))


def _pairs(outcomes: Sequence[Outcome]) -> list[tuple[Outcome, Outcome]]:
    """Near duplicates: the clip that was left out, and the kept one, whose key its detail names."""
    by_key = {outcome.key: outcome for outcome in outcomes if outcome.key}
    found = []
    for outcome in outcomes:
        if outcome.stage == NEAR_DUPLICATES:
            other = next((by_key[word] for word in outcome.detail.split() if word in by_key), None)
            found += [(outcome, other)] if other else []
    return found


def _people(outcomes: Sequence[Outcome], clips: Sequence[SampleInfo]) -> list[tuple[int, list[Outcome]]]:
    """Number of sources and some clips of each person who is in several, most sources first: mistakes show there."""
    by_key = {outcome.key: outcome for outcome in outcomes if outcome.reason == KEPT}
    members: dict[str, list[SampleInfo]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: clip.key):
        members[person_of(clip)].append(clip)
    groups = [list({clip.source_sha256: clip for clip in group}.values()) for _, group in sorted(members.items())]
    several = sorted((group for group in groups if len(group) > 1), key=len, reverse=True)[:MOST_PEOPLE]
    return [(len(group), [by_key[clip.key] for clip in group[:MOST_CLIPS_OF_A_PERSON]]) for group in several]


def _numbers(summary: Summary) -> str:
    shown = {
        "videos": f"{summary.sources:,}",
        "hours of video": f"{summary.source_hours:,.2f}",
        "clips": f"{summary.clips:,}",
        "hours of clips": f"{summary.hours:,.2f}",
        "people": f"{summary.people:,}",
        "shards": f"{summary.shards:,}",
    }
    rest = summary.sources - summary.sources_kept
    tried = f" Rows that needed more than one attempt: {summary.retried:,}." if summary.retried else ""
    text = f"{summary.sources_kept:,} videos gave clips, {rest:,} gave none.{tried}"
    return f"<h1>{summary.sources} videos → {summary.clips} clips</h1>{tiles(shown)}<p>{text}</p>"


def _funnel(summary: Summary) -> str:
    steps = {step.what: (step.came_in, step.went_on) for step in summary.funnel}
    rows = [
        (step.what, words(stage), words(reason), count)
        for step in summary.funnel
        for stage, counted in step.left_out.items()
        for reason, count in counted.items()
    ]
    spans = [("spans", "shots", words(reason), count) for reason, count in summary.spans.items()]
    return (
        f"<h2>What went on from step to step</h2><p>A video is worked on in segments; each face in one is a track; a "
        f"track that is longer than a clip may be is divided into parts; a part that could be cut is a clip.</p>"
        f"{funnel_svg(steps)}<h2>What was left out, and why</h2>"
        f"{table(['step', 'stage', 'reason', 'rows'], [*rows, *spans])}"
        f"<h2>What became of the videos</h2>{bars(summary.sources_by_result)}"
    )


def _splits(summary: Summary) -> str:
    rows = [(side, part.clips, round(part.hours, 3), part.people) for side, part in summary.splits.items()]
    return f"<h2>Split</h2>{table(['side', 'clips', 'hours', 'people'], rows)}"


def _scores(summary: Summary) -> str:
    charts = "".join(histogram_svg(name, histogram) for name, histogram in summary.scores.items())
    text = "Of every clip that was made: green was kept, red was left out, a dashed line is a threshold."
    return f"<h2>Scores</h2><p>{text}</p><div class=charts>{charts}</div>"


def _people_section(summary: Summary, people: Sequence[tuple[int, list[Outcome]]], pictures: Pictures) -> str:
    rows = "".join(
        f"<div class=person>{''.join(map(pictures.image, shown))}<span class=muted>{count} videos</span></div>"
        for count, shown in people
    )
    several = f"<p>People in more than one video, a clip of each video:</p>{rows}" if people else ""
    return f"<h2>People</h2><p>People by their number of clips:</p>{bars(summary.clips_per_person, True)}{several}"


def _pairs_section(pairs: Sequence[tuple[Outcome, Outcome]], pictures: Pictures, total: int) -> str:
    figures = "".join(
        f"<figure class=pair><div>{pictures.image(lost)}{pictures.image(other)}</div>"
        f"<figcaption>{escape(f'{labels(lost)[0]} (left out) · {labels(other)[0]}')}</figcaption></figure>"
        for lost, other in pairs
    )
    return _section("Near duplicates", f"<div class=sheet>{figures}</div>", len(pairs), total) if total else ""


def _section(title: str, body: str, shown: int, total: int) -> str:
    return f"<h2>{title} <span class=muted>({shown} of {total})</span></h2>{body}" if shown else ""


def _rows(outcomes: Sequence[Outcome]) -> str:
    ordered = sorted(
        outcomes, key=lambda row: (row.source_uri, row.segment or 0, row.track or 0, row.start_s or 0.0, row.stage)
    )
    rows = [
        (
            file_name(row),
            "" if row.segment is None else str(row.segment),
            "" if row.track is None else str(row.track),
            "" if row.start_s is None else f"{row.start_s:.2f}",
            row.stage,
            words(row.reason),
            row.detail,
            row.attempts,
            row.key or "",
        )
        for row in ordered[:MOST_ROWS]
    ]
    head = ["video", "segment", "face", "from, s", "stage", "outcome", "detail", "attempts", "clip"]
    cut = f"<p class=muted>The first {MOST_ROWS} of {len(outcomes)}; all are in outcomes.parquet.</p>"
    return f"<h2>Every outcome</h2>{table(head, rows)}{cut if len(outcomes) > MOST_ROWS else ''}"
