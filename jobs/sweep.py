"""`liax sweep`: what a model's directions do to a portrait, as a video that can be looped and a grid of pictures."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import PurePosixPath

from jobs.animator_files import VIDEO, Files, check_files
from jobs.animator_options import Parser, check_options, described, load_animator
from liax.errors import run_main
from liax.progress import say

STILL = (".png",)


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0, or raises what `liax.inference.animator.Animator.sweep` does."""
    options = _parse(argv)
    still = options.still or _beside(options.output)
    check_options(options)
    check_files([options.source], [(options.output, VIDEO), (still, STILL)])
    with Files() as files:
        source, out, still_out = files.picture(options.source), files.write(options.output), files.write(still)
        written = load_animator(options).sweep(
            source,
            out,
            direction=options.direction,
            span=tuple(options.span) if options.span else None,
            unsafe=options.unsafe,
            frames=options.frames,
            still_out=still_out,
            crop=not options.no_crop,
            face=options.face,
        )
    say(described(options.output, written))
    say(f"{still}: the same in one picture")
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "sweep",
        "Show what one direction or control of the model does to a portrait, or all of them in a mosaic.",
        "-s me.jpg -o yaw.mp4 --model models:/face-animator@champion --direction yaw --span -10 10",
    )
    parser.add_argument("-s", "--source", required=True, metavar="PICTURE", help="portrait (JPEG, PNG, WebP)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.mp4", help="looped video to write")
    parser.add_argument("--still", metavar="FILE.png", help="grid of pictures to write (default: FILE.grid.png)")
    parser.add_model()
    parser.add_argument(
        "--direction",
        default="all",
        metavar="NAME",
        help="a name, a number, all (every direction) or controls (every measured control) (default: all)",
    )
    parser.add_argument(
        "--span",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="from how far to how far, in the control's unit (default: its safe or published range, else -0.5 0.5)",
    )
    parser.add_unsafe()
    parser.add_argument("--frames", type=int, default=48, help="length of the loop (default: 48)")
    parser.add_framing(paste_back=False)
    return parser.parse_args(argv)


def _beside(url: str) -> str:
    """me.grid.png for me.mp4: a name of its own, because me.png may well be the portrait that me.mp4 is made from."""
    return url.removesuffix(PurePosixPath(url).suffix) + ".grid" + STILL[0]  # `with_suffix` halves s3://'s slashes


if __name__ == "__main__":
    sys.exit(run_main(run))
