"""Writing checkpoints: in the background, onto full disks and to storages that fail."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from liax import storage
from liax.errors import StorageError
from liax.training import checkpoint_writer
from liax.training.checkpoint import best_checkpoint, latest_checkpoint
from liax.training.checkpoint_writer import FAILURES_IN_A_ROW, CheckpointWriter, Retry
from liax.training.place import alone
from liax.training.tensor_file import write_tensors
from tests import faulty_s3
from tests.checkpoints import FILES, configure, fill, full_disk, make, steps_in, update, value_of, write
from tests.faulty_s3 import BUCKET


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The lines that the writer gives the user."""
    lines: list[str] = []
    monkeypatch.setattr(checkpoint_writer, "say", lines.append)
    return lines


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried twice."""
    monkeypatch.setattr(checkpoint_writer, "RETRY_FOR_S", 0.0)


@contextmanager
def impatient_client() -> Iterator[None]:
    """An S3 client that asks once, because botocore's own repetitions wait for long."""
    import boto3
    from botocore.config import Config

    with pytest.MonkeyPatch.context() as patch:
        client = boto3.client("s3", config=Config(retries={"max_attempts": 0}))
        patch.setattr(storage, "_s3", lambda: client)
        yield


def test_in_the_background_the_same_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, though training goes on while it is."""
    go_on = threading.Event()

    def wait(url: str, tensors: Any) -> Any:
        assert go_on.wait(30)
        return write_tensors(url, tensors)

    monkeypatch.setattr(checkpoint_writer, "write_tensors", wait)
    for folder, in_background in (("now", False), ("later", True)):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)  # the output's name is in a checkpoint
        networks = make()
        with CheckpointWriter(configure("run", in_background=in_background), alone(), "id") as writer:
            (go_on.clear if in_background else go_on.set)()
            writer.save(networks, 1)
            update(networks, 0)
            go_on.set()
    one, other = (tmp_path / name / "run" / "checkpoints" / "00000001" for name in ("now", "later"))
    names = {file.name for file in one.iterdir()}
    assert names == {file.name for file in other.iterdir()} == {f"{n}.safetensors" for n in FILES} | {
        "state.json", "config.json", "train.yaml",
    }  # fmt: skip
    for name in names - {"state.json", "train.yaml"}:  # the setting itself is in train.yaml, and its hash in state.json
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_full_disk_costs_one_checkpoint(tmp_path: Path, said: list[str], impatient: None) -> None:
    networks = make()
    with CheckpointWriter(configure(tmp_path, in_background=False), alone(), "id") as writer:
        fill(networks, 1)
        writer.save(networks, 1)
        with full_disk():
            writer.save(networks, 2)
        assert len(said) == 1
        assert "the checkpoint of step 2 could not be written, and training goes on" in said[0]
        assert "\n" not in said[0]
        assert steps_in(tmp_path) == [1]
        assert value_of(latest_checkpoint(str(tmp_path))) == 1
        fill(networks, 3)
        writer.save(networks, 3)
    assert value_of(latest_checkpoint(str(tmp_path))) == 3


def test_a_run_whose_last_checkpoint_is_not_written_fails(tmp_path: Path, said: list[str], impatient: None) -> None:
    with (
        pytest.raises(StorageError, match=r"the last checkpoint could not be written: .*File too large"),
        full_disk(),
        CheckpointWriter(configure(tmp_path), alone(), "id") as writer,
    ):
        writer.save(make(), 1)


def test_there_is_no_checkpoint_before_what_must_be_there_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    """Steps whose numbers are not written would be missing for ever in a run that continues after them."""
    monkeypatch.setattr(checkpoint_writer, "FIRST_WAIT_S", 0.01)
    tried: list[bool] = []

    def before() -> None:
        tried.append((tmp_path / "checkpoints" / "00000001").exists())
        if len(tried) < 3:
            raise StorageError("away")

    with CheckpointWriter(configure(tmp_path), alone(), "id") as writer:
        writer.save(make(), 1, before=before)
    assert tried == [False, False, False]
    assert steps_in(tmp_path) == [1]
    assert said == ["tried again for up to 300 s: away"]
    monkeypatch.setattr(checkpoint_writer, "RETRY_FOR_S", 0.0)
    tried.clear()
    with CheckpointWriter(configure(tmp_path, in_background=False), alone(), "id") as writer:
        writer.save(make(), 2, before=before)
        assert steps_in(tmp_path) == [1]
        writer.save(make(), 3)


def test_too_many_failures_in_a_row_end_the_run(tmp_path: Path, said: list[str], impatient: None) -> None:
    networks = make()
    tried: list[int] = []

    def train() -> None:
        with full_disk(), CheckpointWriter(configure(tmp_path), alone(), "id") as writer:
            while True:
                tried.append(len(tried) + 1)
                writer.save(networks, tried[-1])

    with pytest.raises(StorageError, match=f"{FAILURES_IN_A_ROW} checkpoints in a row could not be written: .*File"):
        train()
    assert len(said) == FAILURES_IN_A_ROW == len(tried) - 1


def test_an_error_in_training_is_not_hidden_and_does_not_wait(tmp_path: Path, said: list[str]) -> None:
    """The storage fails and would be tried for minutes."""

    def train() -> None:
        with full_disk(), CheckpointWriter(configure(tmp_path), alone(), "id") as writer:
            writer.save(make(), 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    assert "could not be written" in said[-1]


def test_a_failing_s3_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_writer, "FIRST_WAIT_S", 0.01)
    output, said = f"s3://{BUCKET}/run", []
    with faulty_s3.serve_s3() as server, impatient_client():

        def say(text: str) -> None:
            said.append(text)
            server.share = 0.0  # it recovers once it has been seen to fail

        monkeypatch.setattr(checkpoint_writer, "say", say)
        networks = make()
        with CheckpointWriter(configure(output), alone(), "id") as writer:
            for step in (1, 2):
                server.share = 1.0
                fill(networks, step)
                writer.save(networks, step)
                writer._settle()
        assert value_of(latest_checkpoint(output)) == 2
        assert len(said) == 2
        assert all(line.startswith("tried again for up to 300 s: S3 ") for line in said)


def test_an_s3_that_fails_at_random_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_writer, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(faulty_s3, "SLOW_S", 0.05)
    output = f"s3://{BUCKET}/run"
    with faulty_s3.serve_s3(seed=1) as server, impatient_client():
        server.share = 0.2
        write(output, [3.0, 1.0, 2.0, None, 4.0])
        server.share = 0.0
        assert sum(server.faults.values()) > 20
        assert value_of(latest_checkpoint(output)) == 5
        assert value_of(best_checkpoint(output)) == 2


def test_a_storage_is_asked_again_ever_more_rarely(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    now_s, waits_s = 0.0, []

    class Clock(threading.Event):
        """Passes the time at once."""

        def wait(self, timeout: float | None = None) -> bool:
            nonlocal now_s
            assert timeout is not None
            waits_s.append(timeout)
            now_s += timeout
            return False

    def fail() -> None:
        raise StorageError("away")

    monkeypatch.setattr(checkpoint_writer, "time", SimpleNamespace(monotonic=lambda: now_s))
    retry = Retry(Clock())
    with pytest.raises(StorageError, match="away"):
        retry(fail)
    assert waits_s == [1, 2, 4, 8, 16, 32, 60, 60, 60, 57]
    assert said == ["tried again for up to 300 s: away"]
    with pytest.raises(StorageError, match="away"):  # the time is of all that a checkpoint writes
        retry(fail)
    assert len(waits_s) == 10
    assert retry(lambda: 5) == 5
