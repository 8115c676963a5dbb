"""`liax edit`: a portrait moved along directions of the model, as a picture."""

import argparse
import sys
from collections.abc import Sequence

from jobs.animator_files import PICTURE, Files, check_files
from jobs.animator_options import Parser, check_options, load_animator, settings
from liax.errors import run_main
from liax.progress import say


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0, or raises what `liax.inference.animator.Animator.edit` does."""
    options = _parse(argv)
    check_options(options)
    check_files([options.source], [(options.output, PICTURE)])
    controls = settings(options)
    with Files() as files:
        source, out = files.picture(options.source), files.write(options.output)
        picture_HWC = load_animator(options).edit(
            source,
            out,
            controls,
            absolute=options.absolute,
            unsafe=options.unsafe,
            crop=not options.no_crop,
            face=options.face,
            paste_back=options.paste_back,
        )
    height_px, width_px = picture_HWC.shape[:2]
    say(f"{options.output}: {width_px}x{height_px} px")
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "edit",
        "Move the face of a portrait by the model's controls.",
        "-s me.jpg -o out.png --model models:/face-animator@champion --set yaw=+10 --set smile=0.3 --paste-back\n"
        "  liax edit -s me.jpg -o out.png --model models:/face-animator@champion --set yaw=0 --absolute",
    )
    parser.add_argument("-s", "--source", required=True, metavar="PICTURE", help="portrait (JPEG, PNG, WebP)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.png", help="picture to write (or .jpg, .webp)")
    parser.add_model()
    parser.add_settings(required=True)
    parser.add_argument(
        "--absolute",
        action="store_true",
        help="values are what the result shall show, as measured in it, and not changes; for measured controls only "
        "(`liax animate --absolute` is something else: it takes the driving pose)",
    )
    parser.add_framing()
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_main(run))
