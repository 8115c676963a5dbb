"""Processes that die while they save, at every moment; and two that save together."""

import json
import multiprocessing
import os
import random
import shutil
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed

from liax.errors import StorageError
from liax.training import checkpoint_writer
from liax.training.checkpoint import best_checkpoint, complete, folder_of, latest_checkpoint, restore
from liax.training.checkpoint_writer import CheckpointWriter
from liax.training.place import Place, alone
from liax.training.random_state import all_random_states
from tests.checkpoints import configure, fill, full_disk, make, steps_in, value_of, write
from tests.ports import free_port

CHILDREN = multiprocessing.get_context("forkserver")
"""Processes that need not load PyTorch anew."""
CHILDREN.set_forkserver_preload([__name__])


class Killed(BaseException):
    """The process dies here."""


def test_whenever_a_writer_dies_the_checkpoint_before_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before each single change that saving a checkpoint, and removing old ones, makes to the disk."""
    monkeypatch.setattr(checkpoint_writer, "git_commit", dict)  # which would take most of the test's time
    left = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0 and change.__name__ == "unlink" and str(arguments[0]).endswith(".part"):
                raise OSError  # it stays there, but its lock is given back, as by a death
            if left < 0:
                raise Killed
            return change(*arguments, **named)

        return call

    write(tmp_path / "before", [2.0, 1.0, None, None])  # the next one removes the third, not the best
    moments = 0
    while True:
        output = tmp_path / f"{moments}"
        shutil.copytree(tmp_path / "before", output)
        networks = make()
        fill(networks, 5)
        left = moments
        with monkeypatch.context() as patch:
            for owner, name in ((Path, "replace"), (Path, "unlink"), (shutil, "rmtree"), (os, "fsync")):
                patch.setattr(owner, name, counted(getattr(owner, name)))
            writer = CheckpointWriter(configure(output, in_background=False), alone(), "id")
            try:
                writer.save(networks, 5, 3.0)
                survived = True
            except Killed:
                survived = False
        writer._thread.shutdown()
        saved = latest_checkpoint(str(output))
        assert value_of(saved) in ((5,) if survived else (4, 5))
        assert value_of(best_checkpoint(str(output))) == 2
        fifth = complete(folder_of(str(output), 5))
        assert fifth is None or value_of(fifth) == 5
        write_next(output)
        assert steps_in(output) == [2, 4 if fifth is None else 5, 6]
        moments += 1
        if survived:
            break
    assert moments > 30


def write_next(output: Path) -> None:
    """What a new process saves, which leaves nothing of the dead one's."""
    networks = make()
    fill(networks, 6)
    with CheckpointWriter(configure(output), alone(), "id") as writer:
        writer.save(networks, 6)
    assert value_of(latest_checkpoint(str(output))) == 6
    assert not list(output.rglob(".*"))


@pytest.mark.parametrize("in_background", [True, False])
def test_kill_9_at_any_moment(tmp_path: Path, in_background: bool) -> None:
    chance, reported = random.Random(0), 0
    for _ in range(5):
        saved = latest_checkpoint(str(tmp_path))
        reading, writing = CHILDREN.Pipe(duplex=False)
        child = CHILDREN.Process(target=save_for_ever, args=(str(tmp_path), in_background, writing), daemon=True)
        child.start()
        writing.close()
        try:
            assert reading.poll(60)
            child.join(chance.uniform(0, 0.3))
        finally:
            child.kill()
            child.join(30)
        before, reported = reported, last_of(reading)
        saved = latest_checkpoint(str(tmp_path))
        assert saved is not None
        assert saved.state.step >= reported > before
        assert value_of(saved) == saved.state.step


def last_of(reading: Connection) -> int:
    """The last number that a dead process sent."""
    last = 0
    with suppress(EOFError):
        while True:
            last = reading.recv()
    return last


def save_for_ever(output: str, in_background: bool, report: Connection) -> None:
    """Save at every step from the latest on, and report each step that is surely written."""
    torch.set_num_threads(1)
    saved = latest_checkpoint(output)
    step = 0 if saved is None else saved.state.step
    networks = make()
    if saved is not None:
        restore(networks, saved)
    with CheckpointWriter(configure(output, in_background=in_background), alone(), "id") as writer:
        while True:
            step += 1
            fill(networks, step)
            writer.save(networks, step, score=float(-step))
            sure = step - 1 if in_background else step
            if saved is None or sure > saved.state.step:
                report.send(sure)


def test_two_workers_save_what_one_restores(tmp_path: Path) -> None:
    port = free_port()
    workers = [CHILDREN.Process(target=one_of_two, args=(rank, port, str(tmp_path)), daemon=True) for rank in (0, 1)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    saved = latest_checkpoint(str(tmp_path / "run"))
    assert value_of(saved) == 1
    assert saved is not None
    assert {name.partition(".")[0] for name in saved.tensors("random")} == {"0", "1"}
    draws = {}
    for rank in (0, 1, 2):  # the third was not there
        torch.manual_seed(5)
        restore(make(), saved, rank)
        draws[rank] = torch.rand(1).item()
    assert [draws[0], draws[1]] == json.loads((tmp_path / "draws.json").read_text())
    assert draws[2] not in (draws[0], draws[1])
    errors = [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)]
    assert "File too large" in errors[0]
    assert errors[1] == "the last checkpoint could not be written: see the first worker's error"


def one_of_two(rank: int, port: int, folder: str) -> None:
    """Save once, and once more onto a full disk."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    place = Place(rank, 2, torch.device("cpu"))
    networks = make(place=place)
    fill(networks, 1)
    torch.manual_seed(rank)
    with CheckpointWriter(configure(f"{folder}/run"), place, "id") as writer:
        writer.save(networks, 1)
    drawn = [torch.zeros(1), torch.zeros(1)]
    distributed.all_gather(drawn, torch.rand(1))
    if rank == 0:
        Path(folder, "draws.json").write_text(json.dumps([value.item() for value in drawn]))
    assert all_random_states(place)["0.torch"].numel() == all_random_states(alone())["0.torch"].numel()
    checkpoint_writer.RETRY_FOR_S = 0.0
    try:
        with full_disk(), CheckpointWriter(configure(f"{folder}/run"), place, "id") as writer:
            writer.save(networks, 2)
    except StorageError as error:
        Path(folder, f"{rank}.txt").write_text(str(error))
    distributed.destroy_process_group()
