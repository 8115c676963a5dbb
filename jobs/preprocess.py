"""`liax preprocess`: raw videos to a committed shard set of face clips, on Ray."""

import sys
from collections.abc import Sequence

from liax import ray_session
from liax.config import job_config
from liax.errors import run_main
from liax.progress import say
from pipelines.config import PreprocessConfig

DESCRIPTION = """Find the faces in videos, cut one square clip per face and pack the clips into shards.
Every video and every face ends as a clip or as a line with a reason, in OUTPUT/report.html. Started again with the
same settings, an interrupted run continues."""


def run(argv: Sequence[str]) -> int:
    """`liax preprocess`. Returns the exit code."""
    config = job_config(
        PreprocessConfig,
        argv,
        prog="liax preprocess",
        description=DESCRIPTION,
        example="liax preprocess input=videos output=runs/shards clip.size_px=256",
    )
    if config is None:
        return 0
    from pipelines.graph import open_preprocessing, preprocess  # heavy, and not needed for --help

    opened, uris = open_preprocessing(config)
    with ray_session.session(config.workers):
        summary = preprocess(config, opened, uris)
    say(summary.text())
    say(f"shards and report: {opened.url}")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(run))
