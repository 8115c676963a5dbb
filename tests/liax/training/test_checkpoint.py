"""Checkpoints: what is in them, which are kept, and that no death, fault or full disk leaves a run without one."""

import hashlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from torch import distributed

from liax import storage
from liax.errors import StorageError, UserError
from liax.model.config import ModelConfig, preset
from liax.model.discriminator import Discriminator, DiscriminatorConfig
from liax.model.network import LiaX
from liax.model.weights import load_model
from liax.training import checkpoint_writer
from liax.training.checkpoint import (
    BEST,
    LATEST,
    Checkpoint,
    Networks,
    best_checkpoint,
    best_step,
    complete,
    folder_of,
    latest_checkpoint,
    open_checkpoint,
    restore,
)
from liax.training.checkpoint_writer import FAILURES_IN_A_ROW, CheckpointWriter, Retry
from liax.training.config import TrainConfig
from liax.training.ema import Ema
from liax.training.engine import PlainTrained
from liax.training.place import Place, alone
from liax.training.random_state import all_random_states
from liax.training.retention import steps_to_keep
from liax.training.tensor_file import write_tensors
from tests import faulty_s3
from tests.faulty_s3 import BUCKET

FILES = ["generator", "discriminator", "optimizer_generator", "optimizer_discriminator", "model", "random"]
TINY = preset("tiny").model_copy(update={"width": 1 / 64, "directions": 4})
"""A fifth of a megabyte in all, so that many can be written."""

CHILDREN = multiprocessing.get_context("forkserver")
"""Processes that need not load PyTorch anew."""
CHILDREN.set_forkserver_preload([__name__])


def configure(output: str | Path, **settings: Any) -> TrainConfig:
    values = {"shards": "x", "output": str(output), "run_on": "process", "batch": 4, "model": {"preset": "tiny"}}
    return TrainConfig.model_validate({**values, "checkpoint": {"keep": 2, **settings}})


def make(seed: int = 0, layout: ModelConfig = TINY, place: Place | None = None) -> Networks:
    place, config = place or alone(), configure("")
    torch.manual_seed(seed)
    generator, discriminator = LiaX(layout), Discriminator(DiscriminatorConfig(size_px=layout.size_px, width=1 / 64))
    return Networks(
        PlainTrained(generator, config.optimizer.generator, place, called_directly=True),
        PlainTrained(discriminator, config.optimizer.discriminator, place, called_directly=False),
        Ema(generator, config.ema) if place.leads else None,
    )


def fill(networks: Networks, value: float) -> None:
    """Give every weight one value, as training would: in place."""
    with torch.no_grad():
        for module in (networks.generator.module, networks.discriminator.module):
            for parameter in module.parameters():
                parameter.fill_(value)


def update(networks: Networks, seed: int) -> None:
    """One update of both networks, with any gradient."""
    torch.manual_seed(seed)
    for trained in networks.trained().values():
        for parameter in trained.module.parameters():
            parameter.grad = torch.randn_like(parameter)
        trained.step()


def write(output: str | Path, scores: list[float | None], **settings: Any) -> None:
    """Save checkpoints of steps 1, 2, … with these scores."""
    networks = make()
    with CheckpointWriter(configure(output, **settings), alone(), "id") as writer:
        for step, score in enumerate(scores, 1):
            fill(networks, step)
            writer.save(networks, step, score)


def value_of(checkpoint: Checkpoint | None) -> float:
    """What all weights of a checkpoint are, if its files are what was written."""
    assert checkpoint is not None
    for name in FILES:
        checkpoint.tensors(name)
    values = torch.cat([t.flatten() for name, t in checkpoint.tensors("discriminator").items() if "weight" in name])
    assert values.unique().numel() == 1
    return values[0].item()


def steps_in(output: str | Path) -> list[int]:
    return sorted(int(folder.name) for folder in Path(output, "checkpoints").iterdir() if folder.is_dir())


@pytest.fixture(params=["local", "s3"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a run: a folder, or a prefix on an S3 server of its own test's name."""
    if request.param == "local":
        return str(tmp_path / "run")
    return f"{request.getfixturevalue('s3_bucket')}/{tmp_path.name}/run"


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
def full_disk() -> Iterator[None]:
    """No file can grow to the size of the networks'; the system says so to the writer as it does of a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_run_continues_with_all_that_it_was(output: str) -> None:
    networks = make()
    for seed in range(3):
        update(networks, seed)
    torch.manual_seed(7)
    np.random.seed(7)
    random.seed(7)
    np.random.standard_normal(), random.gauss(), torch.rand(1)  # half a pair of normal numbers is left over
    with CheckpointWriter(configure(output), alone(), "id") as writer:
        writer.save(networks, 3, score=0.5, skipped=1)
    drawn = torch.rand(3), np.random.standard_normal(3), random.gauss(), random.random()
    saved = latest_checkpoint(output)
    assert saved is not None
    others = make(seed=1)
    restore(others, saved)
    assert torch.rand(3).equal(drawn[0])
    assert (np.random.standard_normal(3) == drawn[1]).all()
    assert (random.gauss(), random.random()) == drawn[2:]
    for name, trained in networks.trained().items():
        restored = others.trained()[name]
        for one, other in (
            (trained.weights(), restored.weights()),
            (trained.optimizer_state(), restored.optimizer_state()),
        ):
            assert one.keys() == other.keys()
            assert all(one[key].equal(other[key]) for key in one)
    assert networks.ema is not None
    model = load_model(saved.url)
    assert all(t.equal(model.state_dict()[name]) for name, t in networks.ema.model.state_dict().items())
    state = saved.state
    assert (state.step, state.pairs, state.skipped, state.score) == (3, 12, 1, 0.5)
    assert state.updates == {"generator": 3, "discriminator": 3}
    assert {"torch", "liax"} <= state.versions.keys()
    assert state.sizes_bytes == {name: storage.size(storage.join(saved.url, name)) for name in state.files}


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


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.int64, torch.uint8, torch.bool])
def test_tensor_files_are_the_librarys(tmp_path: Path, kind: torch.dtype) -> None:
    tensors = {"b": torch.ones(3, 4), 'é "': torch.zeros(2), "a": torch.tensor(2.0), "none": torch.zeros(0, 3)}
    tensors |= {"kind": torch.arange(7).to(kind), "double": torch.zeros(1).double(), "half": torch.zeros(1).half()}
    written = write_tensors(str(tmp_path / "x.safetensors"), tensors)
    data = (tmp_path / "x.safetensors").read_bytes()
    assert data == save(tensors, {"format": "pt"})
    assert written.size_bytes == len(data)


def test_a_file_of_many_parts_is_whole_on_s3(s3_bucket: str) -> None:
    url, tensors = f"{s3_bucket}/many.safetensors", {"x": torch.arange(5_000_000)}
    written = write_tensors(url, tensors)  # 40 MB; the client sends 8 MB at a time
    data = storage.read_bytes(url)
    assert data == save(tensors, {"format": "pt"})
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (written.sha256, written.size_bytes)


@given(st.lists(st.none() | st.integers(0, 5), min_size=1, max_size=12), st.integers(1, 4))
def test_the_newest_and_the_best_of_all_are_kept(scores: list[int | None], keep: int) -> None:
    kept: dict[int, float | None] = {}
    for step, score in enumerate(scores, 1):
        kept[step] = score
        kept = {step: kept[step] for step in steps_to_keep(kept, keep)}
        newest = set(range(max(1, step - keep + 1), step + 1))
        best = best_step(dict(enumerate(scores[:step], 1)))
        assert set(kept) == newest | ({best} if best else set())
        assert best is None or kept[best] == min(s for s in scores[:step] if s is not None)


def test_best_and_latest_name_what_is_kept(output: str) -> None:
    write(output, [3.0, 1.0, 2.0, float("nan"), None, 1.0])
    assert [value_of(open_checkpoint(f"{output}/checkpoints/{name}")) for name in (LATEST, BEST)] == [6, 2]
    assert value_of(open_checkpoint(output)) == 6
    assert value_of(open_checkpoint(f"{output}/checkpoints/00000005")) == 5
    left = {name.split("/")[-2] for name in storage.list_files(f"{output}/checkpoints", [".json"])}
    assert left == {"00000002", "00000005", "00000006"}
    with pytest.raises(UserError, match="no complete checkpoint"):
        open_checkpoint(f"{output}/checkpoints/00000003")
    storage.remove(f"{output}/checkpoints/{BEST}")
    assert value_of(best_checkpoint(output)) == 2
    storage.remove(f"{output}/checkpoints/00000002/config.json")
    assert value_of(best_checkpoint(output)) == 6


def test_without_validation_the_best_is_the_latest(tmp_path: Path) -> None:
    assert best_checkpoint(str(tmp_path)) is None
    assert latest_checkpoint(str(tmp_path)) is None
    write(tmp_path, [None, None])
    assert value_of(best_checkpoint(str(tmp_path))) == 2
    assert not (tmp_path / "checkpoints" / BEST).exists()


def cut(folder: Path) -> None:
    os.truncate(folder / "generator.safetensors", 1000)


def lose(folder: Path) -> None:
    (folder / "optimizer_generator.safetensors").unlink()


def half_a_state(folder: Path) -> None:
    os.truncate(folder / "state.json", 300)


def no_state(folder: Path) -> None:
    (folder / "state.json").unlink()


@pytest.mark.parametrize("damage", [cut, lose, half_a_state, no_state, shutil.rmtree])
def test_what_is_not_complete_is_passed_over_and_told(
    tmp_path: Path, damage: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, [None] * 2)
    damage(tmp_path / "checkpoints" / "00000002")
    saved = latest_checkpoint(str(tmp_path))
    assert value_of(saved) == 1
    assert saved is not None
    restore(make(), saved)
    assert "00000002 is not complete: training continues at" in capsys.readouterr().out


def test_a_file_with_other_bytes_is_told(tmp_path: Path) -> None:
    write(tmp_path, [None])
    file = tmp_path / "checkpoints" / "00000001" / "generator.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    saved = latest_checkpoint(str(tmp_path))
    assert saved is not None
    with pytest.raises(UserError, match=r"generator\.safetensors was changed or damaged .* remove .*00000001"):
        restore(make(), saved)


def test_a_state_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, [None])
    folder = tmp_path / "checkpoints" / "00000001"
    values = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**values, "step": "many"}))
    with pytest.raises(UserError, match=r"state\.json is damaged, or of another version of liax \(step: .*\)"):
        open_checkpoint(str(folder))


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (preset("tiny"), r"00000001 is of 64 px, width 0\.015625.*, this run's network is of preset tiny at 64 px: "),
        (TINY.model_copy(update={"size_px": 128}), r"is of 64 px, .* this run's network is of 128 px, "),
    ],
)
def test_another_layout_is_refused_by_its_name(tmp_path: Path, layout: ModelConfig, message: str) -> None:
    write(tmp_path, [None])
    saved = latest_checkpoint(str(tmp_path))
    assert saved is not None
    with pytest.raises(UserError, match=message):
        restore(make(layout=layout), saved)


def test_a_renamed_tensor_is_refused_before_anything_changes(tmp_path: Path) -> None:
    networks = make()
    update(networks, 0)
    with CheckpointWriter(configure(tmp_path), alone(), "id") as writer:
        writer.save(networks, 1)
    saved = latest_checkpoint(str(tmp_path))
    assert saved is not None
    others = make(seed=1)
    name, parameter = next(iter(others.generator.module.named_parameters()))
    others.generator.module.register_buffer("extra", torch.zeros(1))
    with pytest.raises(UserError, match=r"generator\.safetensors does not fit the model, 1 entries .*extra is missing"):
        restore(others, saved)
    assert parameter.equal(dict(make(seed=1).generator.module.named_parameters())[name])


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


@contextmanager
def impatient_client() -> Iterator[None]:
    """An S3 client that asks once, because botocore's own repetitions wait for long."""
    import boto3
    from botocore.config import Config

    with pytest.MonkeyPatch.context() as patch:
        client = boto3.client("s3", config=Config(retries={"max_attempts": 0}))
        patch.setattr(storage, "_s3", lambda: client)
        yield


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
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
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
