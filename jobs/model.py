"""`liax model info PRESET`: a preset's layout, channels and parameter count."""

import argparse
import sys
from collections.abc import Sequence

from liax.errors import run_main


def run(argv: Sequence[str]) -> None:
    """Parse the command line and print the description."""
    from liax.model.config import PRESETS, preset

    parser = argparse.ArgumentParser(prog="liax model", description="What a model preset is made of.")
    commands = parser.add_subparsers(dest="command", required=True)
    info = commands.add_parser(
        "info",
        help="print layout, channels and parameter count",
        description="Print a preset's layout, channels a level and parameter count.",
        epilog="example: liax model info large",
    )
    info.add_argument("preset", choices=sorted(PRESETS))
    info.add_argument("--size", type=int, metavar="PX", help="picture size instead of the preset's own")
    options = parser.parse_args(argv)

    from liax.model.summary import describe  # loads PyTorch

    print(describe(preset(options.preset, options.size)))


if __name__ == "__main__":
    sys.exit(run_main(run))
