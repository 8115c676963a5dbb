"""What is left from step to step: videos, segments, tracks, parts of tracks, clips; every row is counted."""

from collections.abc import Collection, Sequence

from liax.config import Config
from pipelines.outcomes import KEPT, Outcome, reasons

STEPS = ("videos", "segments", "tracks", "parts", "clips")
"""What each step counts. A track that is longer than a clip may be has several parts; a part that could be cut is a
clip, which its scores or a better copy of it can still put aside."""

SPANS = "spans"
"""Black and frozen spans of a segment: rows beside the steps, because the rest of the segment goes on."""


class FunnelStep(Config):
    """One step: `came_in` is what the losses and `went_on` add up to."""

    what: str
    """One of `STEPS`."""
    came_in: int
    left_out: dict[str, dict[str, int]]
    """By the stage that decided it, then by reason, the most frequent first."""
    went_on: int


def step_of(outcome: Outcome) -> str:
    """At which step a row stands: one of `STEPS`, or `SPANS`."""
    if outcome.stage in ("probe", "duplicates"):
        return "videos"
    if outcome.stage == "shots":
        return SPANS
    if outcome.track is None:
        return "segments"
    if outcome.stage == "faces":
        return "tracks"
    return "parts" if outcome.stage == "clips" and outcome.reason != KEPT else "clips"


def funnel(sources: int, segments: int, outcomes: Sequence[Outcome]) -> list[FunnelStep]:
    """Count the rows at their steps.

    Args:
        sources: how many videos were found.
        segments: into how many segments those that could be used were divided.
        outcomes: every row.

    Raises:
        AssertionError: the rows do not account for something that came in.
    """
    rows: dict[str, list[Outcome]] = {step: [] for step in (*STEPS, SPANS)}
    for outcome in outcomes:
        rows[step_of(outcome)].append(outcome)
    tracked = [*rows["tracks"], *rows["parts"], *rows["clips"]]
    came_in = {
        "videos": sources,
        "segments": segments,
        "tracks": len({(row.source_uri, row.segment, row.track) for row in tracked}),
        "parts": len(rows["parts"]) + len(rows["clips"]),
        "clips": len(rows["clips"]),
    }
    steps = [_step(what, came_in[what], rows[what]) for what in STEPS]
    # What went on must be what the rows of the later steps speak of.
    seen: dict[str, Collection[object]] = {
        "videos": {row.source_uri for row in [*rows["segments"], *tracked]},
        "segments": {(row.source_uri, row.segment) for row in tracked},
        "tracks": {(row.source_uri, row.segment, row.track) for row in [*rows["parts"], *rows["clips"]]},
    }
    for step in steps:
        found = len(seen[step.what]) if step.what in seen else step.went_on
        assert found == step.went_on, f"{step.what}: {step.went_on} went on, but the rows speak of {found}"
    return steps


def _step(what: str, came_in: int, rows: Sequence[Outcome]) -> FunnelStep:
    lost = [row for row in rows if row.reason != KEPT]
    stages = dict.fromkeys(row.stage for row in lost)
    left_out = {stage: reasons(row for row in lost if row.stage == stage) for stage in sorted(stages)}
    return FunnelStep(what=what, came_in=came_in, left_out=left_out, went_on=came_in - len(lost))
