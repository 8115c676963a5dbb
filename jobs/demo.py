"""`liax demo`: the whole way on a few videos, through the same jobs that a cluster runs."""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from liax.demo.folder import DemoFolder, DemoRequest
from liax.demo.summary import DemoSummary
from liax.errors import JobError, UserError, run_main

ROOT = Path(__file__).resolve().parent.parent
MODEL, ALIAS = "liax-demo", "candidate"
TRAINING_STEPS = 150


def run(argv: Sequence[str]) -> None:
    """Check the command line, run the steps, and say what happened. Raises JobError if the model learnt nothing."""
    options = _parse(argv)
    request = DemoRequest(
        videos=str(options.videos.absolute()) if options.videos else None,
        portrait=str(options.portrait.absolute()) if options.portrait else None,
        steps=options.steps,
    )
    _check(request)
    folder = DemoFolder(options.output)
    folder.claim(request)
    summary = _steps(folder, request)

    from liax.demo.summary import text

    print(f"\n{text(summary, folder, Path(sys.executable).parent)}")
    if not summary.learnt:
        raise JobError(f"the loss did not fall; the training's log is {folder.logs / 'train.log'}")


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="liax demo",
        description="Preprocess, train, register, pull and animate, on a Ray of its own on this machine.",
        epilog="example:\n  liax demo --videos my_videos --portrait me.jpg",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--videos", type=Path, metavar="DIR", help="folder of face videos (default: makes some)")
    parser.add_argument("--portrait", type=Path, metavar="FILE", help="picture to animate (default: an astronaut)")
    parser.add_argument("--output", type=Path, default=Path("runs/demo"), metavar="DIR", help="default: runs/demo")
    parser.add_argument("--steps", type=int, default=TRAINING_STEPS, help=f"of training (default: {TRAINING_STEPS})")
    return parser.parse_args(argv)


def _check(request: DemoRequest) -> None:
    """Refuse what cannot work, before anything is made."""
    from liax.face import FaceFinder
    from liax.inference.framing import choose_faces
    from liax.pictures import load_picture
    from pipelines.sources import list_sources

    if not (ROOT / "pyproject.toml").is_file():
        raise UserError("the demo sends the project's folder to Ray, so it runs from a clone of the project")
    if request.steps < 1:
        raise UserError(f"--steps is {request.steps}, must be at least 1")
    if request.videos is not None:
        list_sources([request.videos])
    if request.portrait is not None:
        with FaceFinder() as finder:
            choose_faces(finder.find(load_picture(request.portrait)), "largest", request.portrait)


def _steps(folder: DemoFolder, request: DemoRequest) -> DemoSummary:
    """Everything, in order, each step timed."""
    from liax.demo.follow import Follower
    from liax.demo.inputs import driving_video, make_inputs
    from liax.demo.own_ray import own_ray, run_job
    from liax.demo.summary import summarise

    seconds: dict[str, float] = {}
    with ExitStack() as stack, _timed("whole", seconds):
        with _timed("inputs", seconds):
            videos, portrait = make_inputs(folder, request)
        with _timed("ray", seconds), Follower("start Ray"):
            client = stack.enter_context(own_ray(folder.logs / "ray.log"))
        jobs: list[tuple[str, str, Callable[[], list[str]]]] = [
            ("1/4 preprocess", "preprocess", lambda: _preprocess(folder, videos)),
            ("2/4 train", "train", lambda: _train(folder, request)),
            ("3/4 register", "register", lambda: _register(folder)),
            ("4/4 pull and animate", "animate", lambda: _animate(folder, portrait, driving_video(folder.shards))),
        ]
        for title, name, arguments in jobs:
            with _timed(name, seconds), Follower(title) as follower:
                log = folder.logs / f"{name}.log"
                run_job(client, ROOT, [f"jobs/{name}.py", *arguments()], log, follower)
    for file in (folder.report, folder.contact_sheet):
        shutil.copyfile(folder.shards / file.name, file)
    return summarise(folder, f"models:/{MODEL}@{ALIAS}", seconds)


def _preprocess(folder: DemoFolder, videos: Path) -> list[str]:
    return ["--config", "jobs/configs/demo_preprocess.yaml", f"input={videos}", f"output={folder.shards}"]


def _train(folder: DemoFolder, request: DemoRequest) -> list[str]:
    return [
        "--config",
        "jobs/configs/train_tiny.yaml",
        f"shards={folder.shards}",
        f"output={folder.training}",
        f"steps={request.steps}",
        f"tracking.uri={folder.tracking_uri}",
    ]


def _register(folder: DemoFolder) -> list[str]:
    return [str(folder.training), "--name", MODEL, "--alias", ALIAS, "--tracking-uri", folder.tracking_uri]


def _animate(folder: DemoFolder, portrait: Path, driving: str) -> list[str]:
    return [
        *("--source", str(portrait)),
        *("--driving", driving),
        *("--face", "largest"),
        *("--output", str(folder.animation)),
        *("--side-by-side", str(folder.side_by_side)),
        *("--model", f"models:/{MODEL}@{ALIAS}"),
        *("--tracking-uri", folder.tracking_uri),
    ]


@contextmanager
def _timed(name: str, seconds: dict[str, float]) -> Iterator[None]:
    started = time.monotonic()
    yield
    seconds[name] = time.monotonic() - started


if __name__ == "__main__":
    sys.exit(run_main(run))
