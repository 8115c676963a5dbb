"""`liax pareto`: what sparsity costs, by trainings of other sparsity weights and dictionary sizes, on Ray."""

import hashlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jobs.measuring import TrackingConfig, measure_and_log
from liax.atlas.pareto_config import ParetoConfig
from liax.config import job_config
from liax.errors import run_main

if TYPE_CHECKING:
    from liax.atlas.pareto import Pareto, PreparedPareto

DESCRIPTION = """Compare trainings on one set of people: how sparse their codes are, how disentangled, and how well each
redraws clips from their first frame. Writes pareto.json and pareto.png. Started again, an interrupted job continues;
with more runs, it measures those."""


class ParetoJob(ParetoConfig):
    """A comparison and its log."""

    tracking: TrackingConfig = TrackingConfig()


def run(argv: Sequence[str]) -> int:
    """`liax pareto`. Returns the exit code."""
    job = job_config(
        ParetoJob,
        argv,
        prog="liax pareto",
        description=DESCRIPTION,
        example='liax pareto runs="[runs/dense, runs/sparse]" shards=runs/faces output=runs/pareto',
    )
    if job is None:
        return 0
    from liax.atlas.pareto import pareto, prepare  # heavy, and not needed for --help

    # Where it is logged is no part of what is measured.
    config = ParetoConfig.model_validate(job.model_dump(exclude={"tracking"}))
    return measure_and_log(
        job.tracking, config.local_cores, lambda uri: prepare(config, uri), pareto, _told, _log, "pareto"
    )


def _told(prepared: "PreparedPareto", found: "Pareto") -> str:
    """The runs in short."""
    measure = prepared.work.config.sparsity
    lines = [f"{found.clips} clips; of each run λ, directions, {measure}, disentanglement, L1, PSNR:"]
    for point in found.points:
        weight = "unknown" if point.sparsity_weight is None else f"{point.sparsity_weight:g}"
        value = point.observation["disentanglement"]
        disentangled = "-" if value is None else f"{value:.3f}"
        front = "  on the front" if point.on_front else ""
        lines.append(
            f"  {point.run}: {weight}, {point.directions}, {point.codes[measure]:.3f}, {disentangled}, "
            f"{point.l1:.4f}, {point.psnr:.2f} dB{front}"
        )
    lines += [f"  left out: {count} clips, {why}" for why, count in found.left_out.items()]
    lines.append(f"picture: {prepared.work.file('pareto.png')}")
    return "\n".join(lines)


def _log(address: str, experiment: str, prepared: "PreparedPareto", found: "Pareto") -> str:
    """Log the numbers and the files to MLflow. Returns the id of the run; raises as `log_finished`."""
    from liax.tracking.finished import log_finished

    work = prepared.work
    measuring = work.config.model_dump(include={"frames_per_clip", "dtype", "split", "crop", "sparsity"})
    models = [subject.sha256 for subject in work.subjects]
    identity = "\n".join([work.url, *models, prepared.clips.set_id, repr(sorted(measuring.items()))])
    numbers: dict[str, float] = {}
    for place, point in enumerate(found.points):
        values = {**point.codes, **point.observation, "l1": point.l1, "psnr": point.psnr}
        values |= {"sparsity_weight": point.sparsity_weight, "directions": point.directions}
        numbers |= {f"run_{place:02d}/{name}": float(value) for name, value in values.items() if value is not None}
    return log_finished(
        address,
        experiment,
        job_id=hashlib.sha256(identity.encode()).hexdigest()[:16],
        name=f"{len(found.points)} runs on {prepared.clips.set_id}",
        settings={
            "runs": {f"run_{place:02d}": point.run for place, point in enumerate(found.points)},
            "data": prepared.clips.set_id,
            "measuring": measuring,
        },
        numbers=numbers,
        files=found.files,
        tags={"set_id": prepared.clips.set_id, "output": work.url},
    )


if __name__ == "__main__":
    sys.exit(run_main(run))
