"""The files with every step's numbers, as they are written, written anew, and read meanwhile."""

import errno
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liax import storage
from liax.errors import StorageError, UserError
from liax.training import records as module
from liax.training.records import Records, read_records, records_after
from tests.answering_s3 import answering
from tests.faulty_s3 import BUCKET, serve_s3

PATIENCE_S = 60.0


@pytest.fixture
def soon_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again at once."""
    monkeypatch.setattr(module, "_FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(module, "_LONGEST_WAIT_S", 0.01)


class Away:
    """A storage that can be away, and hangs or fails then.

    Args:
        monkeypatch: puts it in place of the real one.
        hangs: whether writing waits, and does not fail, until `back`.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, hangs: bool) -> None:
        self._hangs, self._write = hangs, storage.write_bytes
        self.tried, self._back = threading.Event(), threading.Event()
        monkeypatch.setattr(storage, "write_bytes", self.write)
        monkeypatch.setattr(module, "_append", self.write)

    def write(self, url: str, data: bytes) -> None:
        self.tried.set()
        if self._hangs:
            assert self._back.wait(PATIENCE_S)
        elif not self._back.is_set():
            raise StorageError(f"away: {url}")
        before = storage.read_bytes(url) if storage.exists(url) and not data.startswith(b'{"step": 1,') else b""
        self._write(url, before + data)

    def back(self) -> None:
        self._back.set()


def until(true: Callable[[], bool]) -> None:
    """Return when it is so."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def steps_in(output: str) -> list[int]:
    return [step for step, _ in read_records(output)]


def test_a_restarted_run_rewrites_its_records(output: str) -> None:
    assert read_records(output) == []
    records = Records(output, 0, every_steps=10)
    for step in range(1, 6):
        records.add(step, {"l1": float(step)})
        if step in (2, 4):
            records.flush()
            records.begin_next(step)
    records.flush()
    assert steps_in(output) == [1, 2, 3, 4, 5]
    assert [step for step, _ in read_records(output, after_step=2)] == [3, 4, 5]
    again = Records(output, 4, every_steps=1)
    again.add(5, {"l1": 50.0})
    again.flush()
    assert read_records(output, after_step=3) == [(4, {"l1": 4.0}), (5, {"l1": 50.0})]


def test_lines_come_as_they_are_written_and_files_stay_short(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_LINES", 4)
    with Records(output, 0, every_steps=2) as records:
        for step in range(1, 12):
            records.add(step, {"l1": float(step)})
            if step % 2 == 0:
                until(lambda: steps_in(output) == list(range(1, step + 1)))  # noqa: B023 - called within the turn
    assert steps_in(output) == list(range(1, 12))
    names = [Path(name).name for name in storage.list_files(output)]
    assert names == ["00000000.jsonl", "00000004.jsonl", "00000008.jsonl"]
    # From a checkpoint of the start, everything is done again.
    with Records(output, 0, every_steps=1) as again:
        again.add(1, {"l1": 5.0})
    assert read_records(output) == [(1, {"l1": 5.0})]


def test_a_line_knows_when_its_step_was_done(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "time_ns", lambda: 1_700_000_000_123_456_789)
    records = Records(output, 0, every_steps=1)
    records.add(1, {"l1": 0.5, "loss": math.nan})
    records.flush()
    (record,) = records_after(output, 0)
    assert record.time_ms == 1_700_000_000_123
    assert math.isnan(record.numbers["loss"])


def test_half_a_line_is_not_read_and_does_not_stay(tmp_path: Path) -> None:
    output = str(tmp_path)
    records = Records(output, 0, every_steps=1)
    records.add(1, {"l1": 1.0})
    records.flush()
    with (tmp_path / "metrics" / "00000000.jsonl").open("ab") as file:
        file.write(b'{"step": 2, "l')  # its writer was killed here
    assert read_records(output) == [(1, {"l1": 1.0})]
    again = Records(output, 0, every_steps=1)
    again.add(1, {"l1": 1.0})
    again.add(2, {"l1": 2.0})
    again.flush()
    assert read_records(output) == [(1, {"l1": 1.0}), (2, {"l1": 2.0})]


def test_a_full_disk_delays_lines_and_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = str(tmp_path)
    records = Records(output, 0, every_steps=1)
    records.add(1, {"l1": 1.0})
    records.flush()

    def half(path: str, data: bytes) -> None:
        with Path(path).open("ab") as file:
            file.write(data[:5])
        raise StorageError("cannot write: No space left on device")

    records.add(2, {"l1": 2.0})
    with monkeypatch.context() as patch:
        patch.setattr(module, "_append", half)
        with pytest.raises(StorageError):
            records.flush()
        patch.setattr(storage, "write_bytes", full)
        records.add(3, {"l1": 3.0})
        with pytest.raises(StorageError):
            records.flush()
    records.add(4, {"l1": 4.0})
    records.flush()
    assert read_records(output) == [(step, {"l1": float(step)}) for step in (1, 2, 3, 4)]


def test_a_storage_that_hangs_holds_no_step_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage_ = Away(monkeypatch, hangs=True)
    with Records(str(tmp_path), 0, every_steps=1) as records:
        for step in range(1, 51):
            records.add(step, {"l1": float(step)})  # would wait for ever
            if step % 20 == 0:
                records.begin_next(step)
        assert storage_.tried.wait(PATIENCE_S)
        assert steps_in(str(tmp_path)) == []
        storage_.back()
    assert steps_in(str(tmp_path)) == list(range(1, 51))


def test_a_storage_that_fails_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], soon_again: None
) -> None:
    output, storage_ = str(tmp_path), Away(monkeypatch, hangs=False)
    with Records(output, 0, every_steps=1) as records:
        for step in range(1, 6):
            records.add(step, {"l1": float(step)})
            storage_.tried.clear()
            assert storage_.tried.wait(PATIENCE_S)
        storage_.back()
        until(lambda: steps_in(output) == [1, 2, 3, 4, 5])  # without another step
    said = capsys.readouterr().out.splitlines()
    assert said == [f"the numbers of steps cannot be written for now, and training goes on: away: {tmp_path}/metrics/"
                    "00000000.jsonl"]  # fmt: skip


@pytest.mark.parametrize("hangs", [True, False])
def test_the_end_waits_for_a_while_and_names_what_is_missing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    soon_again: None,
    hangs: bool,
) -> None:
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.2)
    with Records(str(tmp_path), 0, every_steps=1) as records:
        records.add(1, {"l1": 1.0})
        records.flush()
        storage_ = Away(monkeypatch, hangs=hangs)
        for step in (2, 3, 4):
            records.add(step, {"l1": float(step)})
        assert storage_.tried.wait(PATIENCE_S)
    said = capsys.readouterr().out.splitlines()
    reason = "the storage does not answer" if hangs else f"away: {tmp_path}/metrics/00000000.jsonl"
    assert said[-1] == f"the numbers of steps 2 to 4 are not in {tmp_path}/metrics, and may be lost: {reason}"
    assert len(said) == (1 if hangs else 2)
    assert steps_in(str(tmp_path)) == [1]
    storage_.back()


def test_an_error_does_not_wait_but_the_last_steps_are_written(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        break_off(Records(str(tmp_path), 0, every_steps=100), lambda: True)
    assert steps_in(str(tmp_path)) == [1]


def test_an_error_is_not_held_by_a_storage_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 2 * PATIENCE_S)
    storage_ = Away(monkeypatch, hangs=False)
    started_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        break_off(Records(str(tmp_path), 0, every_steps=1), lambda: storage_.tried.wait(PATIENCE_S))
    assert time.monotonic() - started_s < PATIENCE_S
    assert "the numbers of step 1 are not in" in capsys.readouterr().out


def test_more_than_memory_should_hold_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 3)
    records = Records(str(tmp_path), 0, every_steps=1)
    for step in (1, 2, 3):
        records.add(step, {"l1": 1.0})
    with pytest.raises(StorageError, match=f"the numbers of 4 steps cannot be written to {tmp_path}/metrics"):
        records.add(4, {"l1": 1.0})


@pytest.mark.server
def test_whenever_it_is_killed_s3_has_all_steps_up_to_one(soon_again: None) -> None:
    output = f"s3://{BUCKET}/run"
    with serve_s3(seed=2) as server:
        server.share = 0.3
        seen = set()
        with Records(output, 0, every_steps=1) as records:
            for step in range(1, 61):
                records.add(step, {"l1": float(step)})
                if step % 15 == 0:
                    records.begin_next(step)
                if step % 4 == 0:
                    there = steps_in(output)
                    assert there == list(range(1, len(there) + 1))
                    seen.add(len(there))
        server.share = 0.0
        assert steps_in(output) == list(range(1, 61))
        assert sum(server.faults.values()) > 5
        assert len(seen) > 2
        # It goes on from the checkpoint of step 30.
        with Records(output, 30, every_steps=1) as again:
            again.add(31, {"l1": 31.0})
        assert steps_in(output) == list(range(1, 32))


@pytest.mark.server
def test_a_refusal_is_not_taken_for_a_run_without_numbers() -> None:
    with answering({"GET": [403]}), pytest.raises(UserError, match="S3 refused s3://bucket/run/metrics"):
        read_records("s3://bucket/run")


def test_a_file_that_goes_while_it_is_read_ends_the_reading(tmp_path: Path) -> None:
    output = str(tmp_path)
    records = Records(output, 0, every_steps=1)
    records.add(1, {"l1": 1.0})
    records.begin_next(1)
    records.add(2, {"l1": 2.0})
    records.flush()
    lines = records_after(output, 0)
    assert next(lines).step == 1
    Records(output, 0, every_steps=1)
    assert list(lines) == []


def break_off(records: Records, ready: Callable[[], bool]) -> None:
    """A run whose first step is its last, because of an error."""
    with records:
        records.add(1, {"l1": 1.0})
        assert ready()
        raise KeyboardInterrupt


def full(*_: Any) -> None:
    """A disk without space."""
    raise StorageError(f"cannot write: {errno.ENOSPC}")
