"""`liax track`: what MLflow misses of a training, shipped from the training's output."""

import argparse
import sys
from collections.abc import Sequence

from liax.errors import run_main
from liax.progress import say


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0, or raises what `liax.tracking.catch_up.catch_up` does."""
    parser = argparse.ArgumentParser(
        prog="liax track",
        description="Ship what MLflow misses of a training. What it has already is not shipped again.",
        epilog="example:\n  liax track runs/tiny --tracking-uri http://mlflow:5000",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", help="a training's output, a folder or s3:// prefix")
    parser.add_argument(
        "--tracking-uri",
        help="MLflow's address (default: the training's, else MLFLOW_TRACKING_URI, else mlflow.db here)",
    )
    options = parser.parse_args(argv)
    from liax.tracking.catch_up import catch_up

    say(catch_up(options.output, options.tracking_uri))
    return 0


if __name__ == "__main__":
    sys.exit(run_main(run))
