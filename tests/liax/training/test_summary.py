"""What is written when a run is done: from any number of steps, a few of them in memory."""

import json
import tracemalloc
from pathlib import Path

import pytest

from liax import storage
from liax.training import records as records_module
from liax.training.config import TrainConfig
from liax.training.records import Records
from liax.training.summary import complete_summary, write_summary


def configure(output: str, steps: int) -> TrainConfig:
    return TrainConfig(shards="x", output=output, steps=steps, batch=2)


def record(output: str, steps: int) -> None:
    """Records of so many steps, of which every fifth was left out and every tenth was looked at."""
    records = Records(output, 0, every_steps=1)
    for step in range(1, steps + 1):
        look = {"val/l1": 1 / step, "val/psnr": float(step)} if step % 10 == 0 else {}
        records.add(step, {"l1": float(step), "loss": 2.0 * step, "skipped": float(step % 5 == 0), **look})
    records.flush()


def test_all_steps_and_what_they_come_to(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_module, "_MOST_LINES", 7)
    record(output, 34)
    write_summary(configure(output, 34), {"total": 1.5})
    lines = [json.loads(line) for line in storage.read_bytes(f"{output}/metrics.jsonl").splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 35))
    assert lines[9] == {"step": 10, "l1": 10, "loss": 20, "skipped": 1, "val/l1": 0.1, "val/psnr": 10}
    assert json.loads(storage.read_bytes(f"{output}/summary.json")) == {
        "steps": 34,
        "pairs": 68,
        "l1_first": 5.5,
        "l1_last": 29.5,
        "loss_first": 11,
        "loss_last": 59,
        "val_l1": 0.0333333,
        "val_psnr": 30,
        "skipped_steps": 6,
        "seconds": {"total": 1.5},
    }


def test_a_finished_run_without_a_summary_gets_one(tmp_path: Path) -> None:
    record(str(tmp_path), 3)
    for steps in (3, 3):
        complete_summary(configure(str(tmp_path), steps))
    assert json.loads((tmp_path / "summary.json").read_text())["l1_last"] == 2


def test_ten_times_the_steps_take_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for steps in (2_000, 20_000):
        output = str(tmp_path / str(steps))
        record(output, steps)
        tracemalloc.start()
        write_summary(configure(output, steps), {})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 2 * peaks[0]
