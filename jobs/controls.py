"""`liax controls`: what can be set of a model, with units, safe ranges and errors, and what cannot."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from jobs.animator_options import Parser, chosen_model
from liax.errors import run_main

if TYPE_CHECKING:
    from liax.inference.controls import Choice


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0, or raises what `liax.inference.loading.load_controls` does."""
    options = _parse(argv)
    model = chosen_model(options)
    from liax.inference.loading import load_controls  # loads PyTorch

    controls = load_controls(model, options.tracking_uri, controls=options.controls)
    choices = controls.choices()
    if options.json:
        print(json.dumps([asdict(choice) for choice in choices], indent=2))
    elif choices[0].status == "index":
        print(f"directions 0 to {controls.directions - 1}, without names: `liax atlas` finds out what they do")
    else:
        print("\n".join([*_table(choices), f"and by number: directions 0 to {controls.directions - 1}, without units"]))
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "controls",
        "List what `--set` can move of a model: in which unit, how far, how exactly; and what the model cannot do.",
        "--model models:/face-animator@champion",
    )
    parser.add_which_model()
    parser.add_argument("--json", action="store_true", help="as JSON, for other programs")
    return parser.parse_args(argv)


def _table(choices: "Sequence[Choice]") -> list[str]:
    """One line a name, with aligned columns."""
    head = ("control", "unit", "from", "to", "error", "status", "what a positive value does")
    rows = [head, *(_cells(choice) for choice in choices)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(head) - 1)]
    return ["  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows]


def _cells(choice: "Choice") -> tuple[str, ...]:
    about = (
        f"{choice.meaning} ({choice.reason})" if choice.meaning and choice.reason else choice.meaning or choice.reason
    )
    if choice.status == "unavailable":
        return choice.name, choice.unit, "", "", "", choice.status, about
    error = "" if choice.error is None else f"{choice.error:.2g}"
    return choice.name, choice.unit, *(f"{end:+.3g}" for end in choice.span), error, choice.status, about


if __name__ == "__main__":
    sys.exit(run_main(run))
