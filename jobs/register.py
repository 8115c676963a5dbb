"""`liax register`: a checkpoint becomes a version of a registered model."""

import argparse
import sys
from collections.abc import Sequence

from liax.errors import run_main
from liax.progress import say


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0, or raises what `liax.registry.register.register` does."""
    parser = argparse.ArgumentParser(
        prog="liax register",
        description="Make a checkpoint's averaged generator a version of a registered model in MLflow.",
        epilog="examples:\n  liax register runs/tiny --name face-animator --alias candidate\n"
        "  liax register runs/tiny/checkpoints/best --name face-animator --evaluation runs/evaluation",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "checkpoint",
        help="a checkpoint's folder, OUTPUT/checkpoints/best, or a training's OUTPUT (its latest is taken)",
    )
    parser.add_argument("--name", required=True, help="of the registered model; it is made if there is none")
    parser.add_argument("--alias", help="a name that shall point at the new version, for example candidate")
    parser.add_argument(
        "--evaluation", metavar="OUTPUT", help="of a `liax evaluate` of this checkpoint; the model card quotes it"
    )
    parser.add_argument(
        "--controls",
        metavar="FILE",
        help="controls.json that `liax atlas` wrote for this checkpoint (default: the one in it, if there is one)",
    )
    parser.add_argument(
        "--tracking-uri", help="MLflow's address (default: MLFLOW_TRACKING_URI, else mlflow.db in this folder)"
    )
    options = parser.parse_args(argv)
    from liax.registry.register import register

    version = register(
        options.checkpoint,
        options.name,
        options.alias,
        options.tracking_uri,
        controls=options.controls,
        evaluation=options.evaluation,
    )
    alias = f", also models:/{options.name}@{options.alias}" if options.alias else ""
    say(f"registered models:/{options.name}/{version}{alias}")
    return 0


if __name__ == "__main__":
    sys.exit(run_main(run))
