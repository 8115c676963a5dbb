"""The options that animate, edit, edit-video and sweep share, and the model that they name."""

import argparse
import os
from typing import TYPE_CHECKING, NoReturn

from jobs.animator_files import NO_SOUND
from liax.errors import UserError

if TYPE_CHECKING:
    from liax.inference.animation import Animation
    from liax.inference.animator import Animator

MODEL_VARIABLE = "LIAX_MODEL"
MODEL_FORMS = "a folder or s3:// prefix, models:/NAME@ALIAS, or a released .pt file"


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are this project's: one line, and exit code 2."""

    def __init__(self, command: str, description: str, example: str) -> None:
        super().__init__(
            prog=f"liax {command}",
            description=description,
            epilog=f"example:\n  liax {command} {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raises UserError."""
        raise UserError(f"{message}; `{self.prog} --help` shows the options")

    def add_which_model(self) -> None:
        """Which model, and what was measured of it."""
        self.add_argument("--model", help=f"{MODEL_FORMS} (default: {MODEL_VARIABLE} in the environment)")
        self.add_argument(
            "--controls",
            metavar="FILE",
            help="controls.json that `liax atlas` wrote for this model (default: the one beside its weights)",
        )
        self.add_argument("--tracking-uri", help="MLflow's address (default: MLFLOW_TRACKING_URI, else mlflow.db here)")

    def add_model(self) -> None:
        """Which model, and what it computes on and with."""
        self.add_which_model()
        self.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
        names = ("auto", "float32", "bfloat16", "float16")
        self.add_argument("--dtype", default="auto", choices=names, help="precision (default: auto, by the device)")
        self.add_argument("--compile", action="store_true", help="torch.compile first: for long videos on a GPU")

    def add_framing(self, paste_back: bool = True) -> None:
        """Which face, and how it is cut out and put back."""
        self.add_argument(
            "--face",
            metavar="WHICH",
            help=f"with several people in the source: largest, leftmost, 1, 2, … from the left{', all' * paste_back}",
        )
        self.add_argument("--no-crop", action="store_true", help="everything is framed round the face already")
        if paste_back:
            self.add_argument("--paste-back", action="store_true", help="put the result into the whole source picture")

    def add_settings(self, required: bool = False) -> None:
        """Controls that are moved."""
        self.add_argument(
            "--set",
            action="append",
            required=required,
            default=[],
            dest="settings",
            metavar="NAME=VALUE",
            help="move a control by its name, in its unit, or a direction by its number, for example yaw=+10 or "
            "39=0.1; repeat it for several; `liax controls` lists them",
        )
        self.add_unsafe()

    def add_unsafe(self) -> None:
        """Whether controls are held to their safe ranges."""
        self.add_argument(
            "--unsafe", action="store_true", help="let controls out of the ranges in which faces stay faces"
        )

    def add_audio(self, own: str) -> None:
        """Whose sound the result has; `own` names the video that usually gives it."""
        self.add_argument(
            "--audio",
            default=own,
            metavar=f"{own}|{NO_SOUND}|FILE",
            help=f"sound of the {own} video, none, or a file's (default: {own})",
        )


def settings(options: argparse.Namespace) -> dict[str | int, float]:
    """The values of `--set`, the same name's added up. Raises UserError for what is not NAME=NUMBER."""
    from liax.inference.controls import parse_settings

    return dict(parse_settings(options.settings).items())


def chosen_model(options: argparse.Namespace) -> str:
    """The model that the command line or the environment names. Raises UserError where neither does."""
    model = options.model or os.environ.get(MODEL_VARIABLE)
    if not model:
        raise UserError(f"no model: give --model or set {MODEL_VARIABLE}, to {MODEL_FORMS}")
    return str(model)


def check_options(options: argparse.Namespace) -> None:
    """Fill in the model that the environment names, and refuse a choice of faces that cannot be followed."""
    from liax.inference.framing import check_choice

    options.model = chosen_model(options)
    check_choice(options.face, crop=not options.no_crop, paste_back=getattr(options, "paste_back", None))


def load_animator(options: argparse.Namespace) -> "Animator":
    """The model that was named. Raises UserError when it cannot be used."""
    from liax.inference.animator import Animator  # loads PyTorch

    return Animator.from_pretrained(
        options.model,
        options.device,
        options.dtype,
        options.tracking_uri,
        compiled=options.compile,
        controls=options.controls,
    )


def sound_files(options: argparse.Namespace, own: str) -> list[str]:
    """The file that `--audio` names, if it names one."""
    return [] if options.audio in (None, own, NO_SOUND) else [options.audio]


def described(url: str, written: "Animation") -> str:
    """A finished video in one line."""
    size = f"{written.width_px}x{written.height_px} px"
    return f"{url}: {written.frames} frames of {size} at {float(written.fps):g} fps"
