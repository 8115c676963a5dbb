"""A run whose workers die ends when it gets nowhere, and only then."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from liax import storage
from liax.errors import JobError, StorageError
from liax.training import checkpoint_writer, ray_trainer
from liax.training.board import LocalBoard
from liax.training.config import TrainConfig
from liax.training.restarts import Restarts
from tests.checkpoints import configure, write


def test_failures_without_a_new_checkpoint_end_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    restarts = Restarts(str(tmp_path), 2)
    restarts.count("lost")
    restarts.count("lost")
    with pytest.raises(JobError) as error:
        restarts.count("killed")
    assert str(error.value) == (
        "training workers failed 3 times, with no new checkpoint since the start (max_failures=2): killed"
    )
    assert capsys.readouterr().out == "training workers failed, and start again from the start: lost\n" * 2


def test_each_new_checkpoint_sets_the_count_to_nothing(tmp_path: Path) -> None:
    restarts = Restarts(str(tmp_path), 1)
    for steps in range(1, 6):
        restarts.count("lost")
        write(tmp_path, [None] * steps)
    restarts.count("lost")
    with pytest.raises(JobError, match=r"2 times, with no new checkpoint since the checkpoint of step 5 \(max_f"):
        restarts.count("lost")


def test_a_run_that_continues_counts_from_where_it_is(tmp_path: Path) -> None:
    write(tmp_path, [None, None])
    with pytest.raises(
        JobError, match=r"^training workers failed after the checkpoint of step 2 \(max_failures=0\): l"
    ):
        Restarts(str(tmp_path), 0).count("lost")


def test_a_storage_that_is_away_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_writer, "FIRST_WAIT_S", 0.01)
    restarts, asked, exists = Restarts(str(tmp_path), 1), [], storage.exists

    def fail_twice(url: str) -> bool:
        asked.append(url)
        if len(asked) < 3:
            raise StorageError("away")
        return exists(url)

    monkeypatch.setattr(storage, "exists", fail_twice)
    restarts.count("lost")
    assert len(asked) >= 3


def test_workers_of_ray_are_started_again_until_they_get_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Ray's processes; with them, see `test_ray_training`."""
    from ray.train import WorkerGroupError

    started: list[str] = []

    class Trainer:
        def fit(self) -> SimpleNamespace:
            """Fails, four times after a new checkpoint."""
            if len(started) < 5:
                write(tmp_path / "out", [None] * len(started))
            raise WorkerGroupError(f"rank 0:\nkilled the {len(started)}. time", {})

    def trainer(config: TrainConfig, board: object, mark: str) -> Trainer:
        started.append(mark)
        return Trainer()

    monkeypatch.setattr(ray_trainer, "_trainer", trainer)
    config = configure(tmp_path / "out").model_copy(update={"max_failures": 2})
    with pytest.raises(JobError, match=r"3 times, with no new .* of step 4 \(max_failures=2\): killed the 6\. time$"):
        ray_trainer.train_on_ray(config, LocalBoard())
    assert len(started) == 6
    assert set(started) == {Path(mark_file_of(config)).read_text()}


def test_an_error_that_would_repeat_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.train import WorkerGroupError

    board, started = LocalBoard(), []

    class Trainer:
        def fit(self) -> None:
            started.append(True)
            board.fail("not finite")
            raise WorkerGroupError("a long trace", {})

    monkeypatch.setattr(ray_trainer, "_trainer", lambda *_: Trainer())
    with pytest.raises(JobError, match=r"^not finite$"):
        ray_trainer.train_on_ray(configure(tmp_path / "out"), board)
    assert started == [True]


def mark_file_of(config: TrainConfig) -> str:
    from liax.training.ray_worker import mark_file

    return mark_file(config.output)
