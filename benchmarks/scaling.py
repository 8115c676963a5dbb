"""Time, cost and limits of a run of the paper's size: the tables of `docs/scaling.md`, from measurements and counts.

    .venv/bin/python -m benchmarks.scaling
    .venv/bin/python -m benchmarks.scaling --mfu 0.4 --price H100=2.5 core=0.02
    .venv/bin/python -m benchmarks.scaling --gpu-result my-h100.md      # printed by benchmarks.train_step --device cuda
    .venv/bin/python -m benchmarks.scaling --write docs/scaling.md

Measured figures come from `benchmarks/results/`, counts from the project's own functions, and what is assumed from
`benchmarks/scaling_machines.py`. It computes nothing heavy: the first time it goes through steps of all networks on
tensors without memory (a minute or two), and keeps what it found.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.environment import ROOT
from benchmarks.scaling_machines import MFU, PRICES_USD
from benchmarks.scaling_results import Measured, read_gpu, read_measured
from benchmarks.scaling_tables import TABLES, Assumptions
from liax.errors import UserError, run_main

RESULTS = ROOT / "benchmarks" / "results"
_BLOCK = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main(argv: Sequence[str]) -> None:
    """Print all tables, or write them into a document."""
    options = _parse(argv)
    measured, assumed = read_measured(options.results), assumptions(options)
    if options.write is None:
        for name, made in TABLES.items():
            print(f"{name}\n\n{made(measured, assumed)}\n", flush=True)
        return
    try:
        text = options.write.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {options.write}: {error}") from None
    options.write.write_text(filled(text, measured, assumed))


def assumptions(options: argparse.Namespace) -> Assumptions:
    """What is assumed, with what the command line knows better.

    Raises:
        UserError: a number that cannot be, an unknown price, a result that is none.
    """
    for name in ("mfu", "kept"):
        if not 0 < getattr(options, name) <= 1:
            raise UserError(f"--{name}={getattr(options, name):g} must be above 0 and at most 1")
    prices = dict(PRICES_USD)
    for given in options.price:
        name, _, text = given.partition("=")
        if name not in prices:
            raise UserError(f"--price knows no '{name}': give NAME=DOLLARS with one of {', '.join(prices)}")
        prices[name] = _dollars(given, text)
    measured: dict[tuple[str, str, int], float] = {}
    for file in options.gpu_result:
        found = read_gpu(file)
        measured |= {(found.gpu, *network): mfu for network, mfu in found.mfu.items()}
    return Assumptions(options.mfu, prices, options.kept, measured)


def filled(text: str, measured: Measured, assumed: Assumptions) -> str:
    """A document with its tables made anew, each between `<!-- table: NAME -->` and `<!-- end -->`.

    Raises:
        UserError: a table that is not known, or one that is missing.
    """
    names = [found[2] for found in _BLOCK.finditer(text)]
    if sorted(names) != sorted(TABLES):
        odd = sorted(set(names) ^ set(TABLES)) or sorted(name for name in TABLES if names.count(name) > 1)
        raise UserError(f"the document must have each table once, and these are missing, unknown or twice: {odd}")
    made = {name: TABLES[name](measured, assumed) for name in names}
    return _BLOCK.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", text)


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks.scaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mfu", type=float, default=MFU, help=f"where none was measured (default: {MFU})")
    parser.add_argument("--gpu-result", type=Path, nargs="*", default=[], metavar="FILE", help="measured on GPUs")
    parser.add_argument("--price", nargs="*", default=[], metavar="NAME=DOLLARS", help=f"of {', '.join(PRICES_USD)}")
    parser.add_argument("--kept", type=float, default=1.0, help="share of the source's frames that end in a clip")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="default: benchmarks/results")
    parser.add_argument("--write", type=Path, metavar="FILE", help="a document whose tables are made anew")
    return parser.parse_args(argv)


def _dollars(given: str, text: str) -> float:
    try:
        dollars = float(text)
    except ValueError:
        dollars = -1.0
    if not 0 <= dollars < float("inf"):
        raise UserError(f"--price {given}: no price in dollars")
    return dollars


if __name__ == "__main__":
    sys.exit(run_main(main))
