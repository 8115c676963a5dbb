"""`liax filter`: choose clips of a finished shard set by their scores, without decoding anything."""

import sys
from collections.abc import Sequence

from liax.config import job_config
from liax.errors import run_main
from liax.progress import say
from pipelines.filtering import FilterConfig, filter_shards

DESCRIPTION = """Make a shard set of those clips of INPUT that pass the quality thresholds. OUTPUT holds no videos: it
names the tars of INPUT, which must stay where they are seen from OUTPUT. People, duplicates and the split stay as they
were decided."""


def run(argv: Sequence[str]) -> int:
    """`liax filter`. Returns the exit code."""
    config = job_config(
        FilterConfig,
        argv,
        prog="liax filter",
        description=DESCRIPTION,
        example="liax filter input=runs/faces output=runs/strict quality.least_sharpness=0.4",
    )
    if config is None:
        return 0
    summary = filter_shards(config)
    say(summary.text())
    say(f"shards: {config.output}")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(run))
