"""`liax atlas`: what every direction of a model's dictionary does, measured, and controls made of it, on Ray."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.measuring import TrackingConfig, measure_and_log
from liax.atlas.config import AtlasConfig
from liax.config import job_config
from liax.errors import run_main

if TYPE_CHECKING:
    from liax.atlas.run import Atlas, Prepared

DESCRIPTION = """Measure what a model's directions do to people's faces, and make controls of them: with names, units,
safe ranges and errors. Writes controls.json, which goes into the registered model, tables, and index.html to browse.
Started again with the same settings, an interrupted run continues."""


class AtlasJob(AtlasConfig):
    """An atlas and its log."""

    tracking: TrackingConfig = TrackingConfig()


def run(argv: Sequence[str]) -> int:
    """`liax atlas`. Returns the exit code."""
    job = job_config(
        AtlasJob,
        argv,
        prog="liax atlas",
        description=DESCRIPTION,
        example="liax atlas model=runs/small shards=runs/faces output=runs/atlas",
    )
    if job is None:
        return 0
    from liax.atlas.logged import log_atlas  # heavy, and not needed for --help
    from liax.atlas.run import atlas, prepare

    # Where it is logged is no part of what is measured.
    config = AtlasConfig.model_validate(job.model_dump(exclude={"tracking"}))
    return measure_and_log(
        job.tracking, config.local_cores, lambda uri: prepare(config, uri), atlas, _told, log_atlas, "atlas"
    )


def _told(prepared: "Prepared", found: "Atlas") -> str:
    """The controls in short, and what to do with them."""
    work = prepared.work
    lines = [f"people: {prepared.people}", "controls:"]
    for name, control in found.controls.controls.items():
        line = f"  {name:<12} {control.status:<12}"
        if control.status != "unavailable":
            low, high = control.safe
            line += f" {low:+.3g} … {high:+.3g} {control.unit}"
            line += "" if control.error is None else f", error {control.error:.2g}"
        lines.append(f"{line}  {control.reason}".rstrip())
    lines.append(f"page to browse: {work.file('index.html')}")
    if work.subject.is_checkpoint:
        lines.append(
            "to register it with these controls: "
            f"liax register {work.subject.url} --name NAME --controls {work.file('controls.json')}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_main(run))
