"""`liax animate`: a portrait moved like a driving video, or by the motion that was saved from one."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.animator_files import MOTION, VIDEO, Files, check_files
from jobs.animator_options import Parser, check_options, described, load_animator, settings, sound_files
from liax.errors import UserError, run_main
from liax.progress import say


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0, or raises what `liax.inference.animator.Animator.animate` does."""
    options = _parse(argv)
    _check(options)
    controls = settings(options)
    with Files() as files:
        source = files.picture(options.source)
        driving = files.read(options.driving) if _is_motion(options.driving) else files.video(options.driving)
        chosen: dict[str, Any] = {
            "controls": controls,
            "unsafe": options.unsafe,
            "mode": options.mode,
            "start_frame": options.start_frame,
            "crop": not options.no_crop,
            "face": options.face,
            "paste_back": options.paste_back,
            "audio": files.sound(options.audio, own="driving"),
        }
        out, motion_out = files.write(options.output), files.write_optional(options.save_motion)
        wide_out = files.write_optional(options.side_by_side)
        animator = load_animator(options)
        if _is_motion(options.driving):
            written = animator.render(source, driving, out, **chosen)
        else:
            written = animator.animate(source, driving, out, side_by_side_out=wide_out, motion_out=motion_out, **chosen)
    say(described(options.output, written))
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "animate",
        "Move the face of a portrait like the face in a driving video.",
        "-s me.jpg -d talk.mp4 -o out.mp4 --model models:/face-animator@champion --set yaw=+10",
    )
    parser.add_argument("-s", "--source", required=True, metavar="PICTURE", help="portrait (JPEG, PNG, WebP)")
    parser.add_argument(
        "-d", "--driving", required=True, metavar="VIDEO", help="video whose motion is taken, or a .motion file"
    )
    parser.add_argument("-o", "--output", required=True, metavar="FILE.mp4", help="video to write")
    parser.add_model()
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--relative",
        action="store_const",
        dest="mode",
        const="relative",
        help="add the change of the driving pose to the portrait's own (default)",
    )
    mode.add_argument(
        "--absolute",
        action="store_const",
        dest="mode",
        const="absolute",
        help="take the driving pose itself; --set still changes it",
    )
    parser.set_defaults(mode="relative")
    parser.add_argument(
        "--start-frame",
        type=_start_frame,
        default=0,
        metavar="N|auto",
        help="driving frame from which changes count; auto: the one nearest the portrait's pose (default: 0)",
    )
    parser.add_settings()
    parser.add_framing()
    parser.add_audio("driving")
    parser.set_defaults(audio=None)  # until it is known whether a video drives
    parser.add_argument("--save-motion", metavar="FILE.motion", help="also write the motion, for -d later")
    parser.add_argument("--side-by-side", metavar="FILE.mp4", help="also write portrait | driving | result")
    return parser.parse_args(argv)


def _check(options: argparse.Namespace) -> None:
    """Refuse a wrong command line before anything is read."""
    if _is_motion(options.driving):
        needs_video = {"--side-by-side": options.side_by_side, "--save-motion": options.save_motion}
        if options.audio == "driving":
            needs_video["--audio driving"] = options.audio
        for option, value in needs_video.items():
            if value is not None:
                raise UserError(f"{options.driving} is a motion without pictures or sound: leave out {option}")
    elif options.audio is None:
        options.audio = "driving"
    check_options(options)
    from liax.inference.transfer import check_mode  # loads PyTorch

    check_mode(options.mode, options.start_frame, crop=not options.no_crop)
    inputs = [options.source, options.driving, *sound_files(options, own="driving")]
    check_files(inputs, [(options.output, VIDEO), (options.save_motion, MOTION), (options.side_by_side, VIDEO)])


def _is_motion(url: str) -> bool:
    return Path(url).suffix.lower() in MOTION


def _start_frame(text: str) -> int | str:
    if text == "auto":
        return text
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"'{text}' is neither auto nor a frame's number from 0 on")


if __name__ == "__main__":
    sys.exit(run_main(run))
