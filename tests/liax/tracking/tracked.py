"""A training's output without a training, for tests of what ships it."""

from pathlib import Path
from typing import Any

import torch

from liax import storage
from liax.tracking.client import connect
from liax.tracking.grids import grid_png
from liax.tracking.note import Ending, note_ending, write_note
from liax.training.config import TrainConfig
from liax.training.records import Records, records_after
from liax.training.run_record import RunRecord, write_run

POINTS = ("l1", "loss")


def make_output(folder: Path, uri: str, ended: Ending | None = None, **tracking: Any) -> str:
    """An output without records; returns its name."""
    values: dict[str, Any] = {"uri": uri, **tracking}
    shards = folder.parent / "shards"
    shards.mkdir(parents=True, exist_ok=True)
    (shards / "report.html").write_text("<!doctype html>")
    (shards / "summary.json").write_text("{}")
    config = TrainConfig(shards=str(shards), output=str(folder), tracking=values)  # type: ignore[arg-type]
    write_run(config.output, RunRecord(identity=config.identity("set"), set_id="set"))
    write_note(config, "set", uri, going_on=True)
    if ended is not None:
        note_ending(config.output, ended)
    return config.output


def add_steps(records: Records, first: int, last: int) -> None:
    """Write records of some steps, with values that no two steps share."""
    for step in range(first, last + 1):
        records.add(step, {name: step + number / 8 for number, name in enumerate(POINTS)})
    records.flush()


def add_picture(output: str, step: int) -> None:
    """A picture grid of a step, and its video."""
    storage.write_bytes(f"{output}/pictures/{step:08d}.png", grid_png([torch.zeros(1, 3, 8, 8)]))
    storage.write_bytes(f"{output}/videos/{step:08d}.mp4", b"a video")


def assert_complete(uri: str, output: str, steps: int) -> Any:
    """Check that MLflow has one run of the training, with each point of each step once; returns the run."""
    client = connect(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"tags.output = '{output}'")
    recorded = {record.step: record for record in records_after(output, 0)}
    assert list(recorded) == list(range(1, steps + 1))
    for name in POINTS:
        points = client.get_metric_history(run.info.run_id, name)
        assert sorted(p.step for p in points) == list(range(1, steps + 1))
        assert {p.step: p.value for p in points} == {step: line.numbers[name] for step, line in recorded.items()}
    return run


def pictures_of(uri: str, run_id: str) -> list[str]:
    """The full-size pictures of a run."""
    return [a.path for a in connect(uri).list_artifacts(run_id, "images") if a.path.endswith(".png")]
