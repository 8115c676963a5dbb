"""`liax doctor`: whether a cluster is fit for the jobs, and how to mend it. On a cluster:
`ray job submit … -- python jobs/doctor.py …`."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import Any

from liax import ray_session
from liax.config import job_config
from liax.doctor.config import DoctorConfig
from liax.errors import run_main
from liax.progress import say

DESCRIPTION = """Check a Ray cluster before it costs money: software, memory, disks, clocks, models, GPUs and network of
every machine, and with input, shards, output and tracking.uri as the jobs will be given them, storage and MLflow from
every machine. Says what is wrong and how to mend it. Exit code 1 if anything is wrong, 0 with warnings.
With --json: all of it for another program."""


def run(argv: Sequence[str]) -> int:
    """`liax doctor`. Returns the exit code."""
    for_machines = "--json" in argv
    config = job_config(
        DoctorConfig,
        [word for word in argv if word != "--json"],
        prog="liax doctor",
        description=DESCRIPTION,
        example="liax doctor nodes=3 gpus=16 shards=s3://data/faces output=s3://runs tracking.uri=http://mlflow:5000",
    )
    if config is None:
        return 0
    # Ray prints there what it hears of its nodes.
    quiet: AbstractContextManager[Any] = redirect_stdout(sys.stderr) if for_machines else nullcontext()
    with quiet, ray_session.session():
        import ray  # after the session's start, which sets what Ray reads at its import

        from liax.doctor.examine import examine
        from liax.doctor.findings import Finding, worst
        from liax.doctor.nodes import living
        from liax.doctor.report import as_json, closing, text

        nodes = living(ray.nodes())
        findings: list[Finding] = []
        for found in examine(config, nodes):
            findings += found
            if found and not for_machines:
                say(text(found, len(nodes)))
    if for_machines:
        print(as_json(findings))
    else:
        say(f"\n{closing(findings)}")
    return int(worst(findings) == "wrong")


if __name__ == "__main__":
    sys.exit(run_main(run))
