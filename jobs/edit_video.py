"""`liax edit-video`: a video whose face is moved along directions of the model, frame by frame."""

import argparse
import sys
from collections.abc import Sequence

from jobs.animator_files import VIDEO, Files, check_files
from jobs.animator_options import Parser, check_options, described, load_animator, settings, sound_files
from liax.errors import run_main
from liax.inference.smoothing import check_smoothing
from liax.progress import say


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0, or raises what `liax.inference.animator.Animator.edit_video` does."""
    options = _parse(argv)
    check_options(options)
    check_smoothing(options.smooth)
    check_files([options.source, *sound_files(options, own="source")], [(options.output, VIDEO)])
    controls = settings(options)
    with Files() as files:
        source, out = files.video(options.source), files.write(options.output)
        audio = files.sound(options.audio, own="source")
        written = load_animator(options).edit_video(
            source,
            out,
            controls,
            unsafe=options.unsafe,
            from_first=options.from_first,
            smooth_s=options.smooth,
            crop=not options.no_crop,
            face=options.face,
            paste_back=options.paste_back,
            audio=audio,
        )
    say(described(options.output, written))
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "edit-video",
        "Move the face in a video by the model's controls. Every frame is drawn from its own pixels.",
        "-s talk.mp4 -o out.mp4 --model models:/face-animator@champion --set smile=0.3 --paste-back",
    )
    parser.add_argument("-s", "--source", required=True, metavar="VIDEO", help="video with a face")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.mp4", help="video to write")
    parser.add_model()
    parser.add_settings(required=True)
    parser.add_argument("--from-first", action="store_true", help="draw every frame from the first one's pixels")
    parser.add_argument(
        "--smooth",
        type=float,
        default=0.04,
        metavar="SECONDS",
        help="how far the codes are smoothed over time, 0 (not at all) to 0.5 (default: 0.04)",
    )
    parser.add_framing()
    parser.add_audio("source")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(run_main(run))
