"""`liax ui`: a page on which faces are moved, for oneself or for a few people."""

import argparse
import os
import sys
from collections.abc import Sequence

from jobs.animator_options import MODEL_FORMS, MODEL_VARIABLE, Parser
from liax.errors import UserError, run_main
from liax.ui.config import MOST_WAITING, Limits, UiConfig

MOST_PORT = 65535


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0 when it is told to stop, or raises what `liax.ui.serve.serve` does."""
    config = _config(_parse(argv))
    from liax.ui.serve import serve

    serve(config)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "ui",
        "Serve a page on which faces are animated and edited in a browser. It listens on this machine only, unless\n"
        "--host says otherwise: there are no accounts, and whoever reaches the page may use it.",
        "--model models:/face-animator@champion --model lia-x.pt --atlas runs/atlas",
    )
    _add_models(parser)
    _add_serving(parser)
    return parser.parse_args(argv)


def _add_models(parser: Parser) -> None:
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        dest="models",
        help=f"{MODEL_FORMS}; repeat it to let visitors choose (default: {MODEL_VARIABLE} in the environment)",
    )
    parser.add_argument(
        "--any-model", action="store_true", help="visitors may name other models too, any that this user can read"
    )
    parser.add_argument(
        "--controls",
        metavar="FILE",
        help="controls.json that `liax atlas` wrote for the one model (default: the one beside its weights)",
    )
    parser.add_argument("--atlas", metavar="DIR", help="output folder of `liax atlas`, to be opened from the page")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    names = ("auto", "float32", "bfloat16", "float16")
    parser.add_argument("--dtype", default="auto", choices=names, help="precision (default: auto, by the device)")
    parser.add_argument("--compile", action="store_true", help="torch.compile first: for long videos on a GPU")
    parser.add_argument("--tracking-uri", help="MLflow's address (default: MLFLOW_TRACKING_URI, else mlflow.db here)")


def _add_serving(parser: Parser) -> None:
    usual, limits = UiConfig(models=()), Limits()
    parser.add_argument("--host", default=usual.host, help=f"address to listen on (default: {usual.host})")
    parser.add_argument(
        "--port", type=int, default=usual.port, help=f"port, 0 for any that is free (default: {usual.port})"
    )
    parser.add_argument(
        "--max-mb", type=int, default=limits.file_mb, help=f"largest file to upload (default: {limits.file_mb})"
    )
    parser.add_argument(
        "--max-seconds",
        type=float,
        default=limits.video_s,
        help=f"longest video to work on (default: {limits.video_s:g})",
    )
    parser.add_argument(
        "--max-minutes",
        type=float,
        default=limits.work_s / 60,
        help=f"longest work on one video (default: {limits.work_s / 60:g})",
    )
    parser.add_argument(
        "--max-waiting",
        type=int,
        default=limits.waiting,
        help=f"most works in the queue (default: {limits.waiting})",
    )


def _config(options: argparse.Namespace) -> UiConfig:
    """The settings. Raises UserError for those that cannot be."""
    models = options.models or list(filter(None, [os.environ.get(MODEL_VARIABLE)]))
    if not models:
        raise UserError(f"no model: give --model or set {MODEL_VARIABLE}, to {MODEL_FORMS}")
    if options.controls and (len(models) > 1 or options.any_model):
        raise UserError(
            "--controls is for one model: give one --model, or put each controls.json beside its weights "
            "(beside lia-x.pt as lia-x.controls.json)"
        )
    if not 0 <= options.port <= MOST_PORT:
        raise UserError(f"there is no port {options.port}: give 0 to {MOST_PORT}")
    if options.tracking_uri and not options.any_model and not any(model.startswith("models:/") for model in models):
        raise UserError(
            "--tracking-uri is for models of the registry: give --model models:/NAME@ALIAS, or leave it out"
        )
    for name in ("max_mb", "max_seconds", "max_minutes", "max_waiting"):
        value = getattr(options, name)
        if not 0 < value < float("inf"):
            raise UserError(f"--{name.replace('_', '-')} {value:g} leaves nothing to be done: give a number above 0")
    if options.max_waiting > MOST_WAITING:
        raise UserError(f"--max-waiting {options.max_waiting} is too many: give at most {MOST_WAITING}")
    limits = Limits(options.max_mb, options.max_seconds, options.max_minutes * 60, options.max_waiting)
    return UiConfig(
        tuple(models),
        options.any_model,
        options.device,
        options.dtype,
        options.tracking_uri,
        options.compile,
        options.controls,
        options.atlas,
        options.host,
        options.port,
        limits,
    )


if __name__ == "__main__":
    sys.exit(run_main(run))
