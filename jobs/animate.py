"""`liax animate`: a portrait moved like a driving video."""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from liax import storage
from liax.errors import UserError, run_main
from liax.progress import say


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0, or raises what `liax.inference.animator.Animator.animate` does."""
    options = _parse(argv)
    _check(options)
    from liax.inference.animator import Animator  # loads PyTorch

    animator = Animator.from_pretrained(options.model, options.device, options.tracking_uri)
    with ExitStack() as stack:
        source, driving = (stack.enter_context(storage.local_copy(url)) for url in (options.source, options.driving))
        written = animator.animate(
            source,
            driving,
            stack.enter_context(_written(options.output)),
            crop=not options.no_crop,
            mode="absolute" if options.absolute else "relative",
            side_by_side_out=stack.enter_context(_written(options.side_by_side)) if options.side_by_side else None,
        )
    size_px = written.size_px
    say(f"{options.output}: {written.frames} frames of {size_px}x{size_px} px at {float(written.fps):g} fps")
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="liax animate",
        description="Move the face of a portrait like the face in a driving video. The driving video's sound is kept.",
        epilog="example:\n  liax animate -s me.jpg -d talk.mp4 -o out.mp4 --model models:/face-animator@candidate",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-s", "--source", required=True, metavar="PICTURE", help="portrait (JPEG, PNG, WebP)")
    parser.add_argument("-d", "--driving", required=True, metavar="VIDEO", help="video whose motion is taken")
    parser.add_argument("-o", "--output", required=True, metavar="FILE.mp4", help="video to write")
    parser.add_argument("--model", required=True, help="folder, or models:/NAME@ALIAS")
    parser.add_argument("--side-by-side", metavar="FILE.mp4", help="also write portrait | driving | result")
    parser.add_argument("--absolute", action="store_true", help="take the driving pose itself, not its change")
    parser.add_argument("--no-crop", action="store_true", help="both are framed round the face already")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--tracking-uri", help="MLflow's address (default: MLFLOW_TRACKING_URI, else mlflow.db here)")
    return parser.parse_args(argv)


def _check(options: argparse.Namespace) -> None:
    """Refuse a wrong command line before the model is loaded."""
    outputs = [url for url in (options.output, options.side_by_side) if url]
    for url in outputs:
        if not url.endswith(".mp4"):
            raise UserError(f"{url} cannot be written: give a name that ends in .mp4")
    names = [url if storage.is_s3(url) else str(Path(url).resolve()) for url in (options.driving, *outputs)]
    if len(set(names)) < len(names):
        raise UserError(f"{options.output} is named twice: driving video and results need names of their own")
    for url in (options.source, options.driving):
        if not storage.exists(url):
            raise UserError(f"no such file: {url}")


@contextmanager
def _written(url: str) -> Iterator[Path]:
    """A local path to write; an s3:// name is uploaded when the block ends without an error."""
    if not storage.is_s3(url):
        storage.make_folder(str(Path(url).parent))
        yield Path(url)
        return
    with tempfile.TemporaryDirectory(prefix="liax-") as folder:
        local = Path(folder, "out.mp4")
        yield local
        storage.upload(local, url)


if __name__ == "__main__":
    sys.exit(run_main(run))
