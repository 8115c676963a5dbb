"""The `liax` command: one entry a job. Each job's module is loaded only when it is called, so `--help` stays quick."""

import importlib
import sys
from collections.abc import Sequence

from liax import __version__
from liax.errors import UserError, run_main

COMMANDS = {
    "demo": "the whole way on a few videos: preprocess, train, register, pull, animate",
    "preprocess": "raw videos to shards of face clips, on Ray",
    "filter": "choose clips of finished shards by their scores",
    "train": "train a model on shards, on Ray",
    "track": "ship what MLflow misses of a training",
    "evaluate": "measure a model on people that it was not trained on, on Ray",
    "atlas": "measure what a model's directions do, and make named controls of them, on Ray",
    "pareto": "compare trainings: what sparsity costs in fidelity, on Ray",
    "register": "make a checkpoint a version of a registered model",
    "promote": "make a version the champion if it is measurably better",
    "pull": "fetch a registered model into a folder",
    "animate": "move a portrait like a driving video",
    "edit": "move a portrait by the model's controls",
    "edit-video": "move the face in a video by the model's controls",
    "sweep": "show what each direction of a model does to a portrait",
    "controls": "list what can be set of a model, with units and safe ranges",
    "ui": "a page to animate and edit faces in a browser",
    "doctor": "check a cluster before jobs are started on it",
    "model": "print a model preset's layout and size",
}

HELP = f"""usage: liax COMMAND …

{chr(10).join(f"  {name:<12}{text}" for name, text in COMMANDS.items())}

`liax COMMAND --help` shows a command's options with an example. `liax --version` prints the version.

example:
  liax animate -s portrait.jpg -d talk.mp4 -o out.mp4 --model runs/model"""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console command. Returns the exit code."""
    return run_main(_dispatch, argv)


def _dispatch(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP)
        return 0 if argv else 2
    if argv[0] == "--version":
        print(__version__)
        return 0
    if argv[0] not in COMMANDS:
        raise UserError(f"unknown command '{argv[0]}'; commands: {', '.join(COMMANDS)}")
    job = importlib.import_module(f"jobs.{argv[0].replace('-', '_')}")
    return int(job.run(argv[1:]) or 0)


if __name__ == "__main__":
    sys.exit(main())
