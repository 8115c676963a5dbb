"""`liax pull`: a registered model into a folder."""

import argparse
import sys
from collections.abc import Sequence

from liax.errors import run_main
from liax.progress import say


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0, or raises what `liax.registry.pull.pull` does."""
    parser = argparse.ArgumentParser(
        prog="liax pull",
        description="Fetch a registered model's files into a folder, which `liax animate --model` takes.",
        epilog="example:\n  liax pull models:/face-animator@candidate models/face-animator",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="models:/NAME@ALIAS or models:/NAME/VERSION")
    parser.add_argument("folder", help="made if there is none; a model that is there is replaced")
    parser.add_argument("--tracking-uri", help="MLflow's address (default: MLFLOW_TRACKING_URI, else mlflow.db here)")
    options = parser.parse_args(argv)
    from liax.registry.names import parse_uri
    from liax.registry.pull import find_version, pull

    version = find_version(options.model, options.tracking_uri)
    pull(f"models:/{parse_uri(options.model).name}/{version}", options.folder, options.tracking_uri)
    say(f"{options.model} is version {version}, in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(run))
