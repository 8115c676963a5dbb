"""`liax train`: a LIA-X network from a shard set. On a cluster: `ray job submit … -- python jobs/train.py …`."""

import atexit
import os
import sys
from collections.abc import Sequence

from liax.config import job_config
from liax.errors import run_main
from liax.training.config import TrainConfig


def run(argv: Sequence[str]) -> int:
    """Run the job; returns 0, or raises what `liax.training.launch.launch` does."""
    only_plan = "--plan" in argv
    config = job_config(
        TrainConfig,
        # The plan reads and writes nothing, so it wants neither of the two settings that have no default.
        ["shards=none", "output=none", *(word for word in argv if word != "--plan")] if only_plan else argv,
        prog="liax train",
        description="Train a LIA-X network on a shard set. The same command again continues the run. "
        "With --plan: print how much memory it takes, by ZeRO stage, and stop.",
        example="liax train --config jobs/configs/train_tiny.yaml shards=runs/faces output=runs/tiny",
    )
    if config is None:
        return 0
    if only_plan:
        from liax.training.plan import plan

        print(plan(config))
        return 0
    from liax.training.launch import launch

    launch(config)
    return 0


def main() -> int:
    """Run the job as one of torchrun's processes, or by itself."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return run_main(run)
    try:
        code = run_main(run)
    except SystemExit as ended:  # one of several that had the same error, which another tells
        code = int(ended.code or 0)
    # Python's own teardown now and then aborts such a process after everything is saved ("terminate called without an
    # active exception"; Gloo's threads are suspected), and torchrun calls a finished training failed.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
