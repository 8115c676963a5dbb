"""The files with every step's numbers, as they are written, written anew, and read meanwhile."""

import errno
import math
from pathlib import Path
from typing import Any

import pytest

from liax import storage
from liax.errors import StorageError
from liax.training import records as module
from liax.training.records import Records, read_records, records_after


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.server)])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path)
    bucket: str = request.getfixturevalue("s3_bucket")
    return f"{bucket}/{tmp_path.name}"


def test_a_restarted_run_rewrites_its_records(output: str) -> None:
    assert read_records(output) == []
    records = Records(output, 0, every_steps=10)
    for step in range(1, 6):
        records.add(step, {"l1": float(step)})
        if step in (2, 4):
            records.flush()
            records.begin_next(step)
    records.flush()
    assert [step for step, _ in read_records(output)] == [1, 2, 3, 4, 5]
    assert [step for step, _ in read_records(output, after_step=2)] == [3, 4, 5]
    again = Records(output, 4, every_steps=1)
    again.add(5, {"l1": 50.0})
    assert read_records(output, after_step=3) == [(4, {"l1": 4.0}), (5, {"l1": 50.0})]


def test_lines_come_as_they_are_written_and_files_stay_short(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_LINES", 4)
    records = Records(output, 0, every_steps=2)
    for step in range(1, 12):
        records.add(step, {"l1": float(step)})
        assert [number for number, _ in read_records(output)] == list(range(1, step - step % 2 + 1))
    names = [Path(name).name for name in storage.list_files(output)]
    assert names == ["00000000.jsonl", "00000004.jsonl", "00000008.jsonl"]
    # From a checkpoint of the start, everything is done again.
    Records(output, 0, every_steps=1).add(1, {"l1": 5.0})
    assert read_records(output) == [(1, {"l1": 5.0})]


def test_a_line_knows_when_its_step_was_done(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "time_ns", lambda: 1_700_000_000_123_456_789)
    Records(output, 0, every_steps=1).add(1, {"l1": 0.5, "loss": math.nan})
    (record,) = records_after(output, 0)
    assert record.time_ms == 1_700_000_000_123
    assert math.isnan(record.numbers["loss"])


def test_half_a_line_is_not_read_and_does_not_stay(tmp_path: Path) -> None:
    output = str(tmp_path)
    records = Records(output, 0, every_steps=1)
    records.add(1, {"l1": 1.0})
    with (tmp_path / "metrics" / "00000000.jsonl").open("ab") as file:
        file.write(b'{"step": 2, "l')  # its writer was killed here
    assert read_records(output) == [(1, {"l1": 1.0})]
    again = Records(output, 0, every_steps=1)
    again.add(1, {"l1": 1.0})
    again.add(2, {"l1": 2.0})
    assert read_records(output) == [(1, {"l1": 1.0}), (2, {"l1": 2.0})]


def test_a_full_disk_delays_lines_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = str(tmp_path)
    records = Records(output, 0, every_steps=1)
    records.add(1, {"l1": 1.0})

    def half(path: str, data: bytes) -> None:
        with Path(path).open("ab") as file:
            file.write(data[:5])
        raise StorageError("cannot write: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "_append", half)
        records.add(2, {"l1": 2.0})
        patch.setattr(storage, "write_bytes", full)
        records.add(3, {"l1": 3.0})
        with pytest.raises(StorageError):
            records.flush()
    assert capsys.readouterr().out.count("cannot be written for now") == 1
    records.add(4, {"l1": 4.0})
    assert read_records(output) == [(step, {"l1": float(step)}) for step in (1, 2, 3, 4)]


def test_a_file_that_goes_while_it_is_read_ends_the_reading(tmp_path: Path) -> None:
    output = str(tmp_path)
    records = Records(output, 0, every_steps=1)
    records.add(1, {"l1": 1.0})
    records.begin_next(1)
    records.add(2, {"l1": 2.0})
    lines = records_after(output, 0)
    assert next(lines).step == 1
    Records(output, 0, every_steps=1)
    assert list(lines) == []


def full(*_: Any) -> None:
    """A disk without space."""
    raise StorageError(f"cannot write: {errno.ENOSPC}")
