"""Stage 3, duplicates: files with the same bytes are worked on once (all sources, on the driver: hashes only)."""

from collections.abc import Sequence

from pipelines.outcomes import Outcome, Source, rejected


def set_aside(sources: Sequence[Source]) -> tuple[list[Source], list[Outcome]]:
    """Divide probed sources into those to work on and rows for the rest.

    Of several files with the same bytes the first by name is kept, so that the choice does not depend on timing.

    Returns:
        The usable, different sources in the order of their names, and a row for every other source.
    """
    first: dict[str, Source] = {}
    rows = []
    for source in sorted(sources, key=lambda source: source.uri):
        if source.reason:
            rows.append(rejected(source, "probe", source.reason, source.detail, attempts=source.attempts))
        elif source.sha256 in first:
            rows.append(rejected(source, "duplicates", "duplicate", f"same bytes as {first[source.sha256].uri}"))
        else:
            first[source.sha256] = source
    return list(first.values()), rows
