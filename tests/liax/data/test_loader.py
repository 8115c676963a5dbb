"""Steps' pictures come in order and whole, from however many workers and processes."""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from liax.data.batch import StepData
from liax.data.dataset import PairDataset
from liax.data.loader import Places, load_steps, open_pairs
from liax.errors import JobError, NoFileError, ProcessDied
from liax.shards import ShardSet
from liax.training.config import DataConfig
from tests.job_runs import command
from tests.moving_shapes import write_shapes

BATCH = 8
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_shapes(tmp_path_factory.mktemp("shapes"), clips=8)


def pairs_of(shapes: str, **settings: Any) -> PairDataset:
    return open_pairs(ShardSet(shapes), DataConfig(**settings), seed=0, size_px=64, batch=BATCH)


def whole(parts: dict[tuple[int, int], StepData], workers: int, accumulation: int) -> torch.Tensor:
    """The step's source pictures in the order of their positions."""
    found = torch.zeros(BATCH, 64, 64, 3, dtype=torch.uint8)
    for (rank, micro), data in parts.items():
        found[micro * workers + rank :: workers * accumulation] = data.micro_batches[micro].source_BHWC
    return found


@pytest.mark.parametrize(("workers", "accumulation"), [(2, 1), (4, 1), (1, 2), (2, 2), (1, 8)])
def test_however_a_step_is_shared_out_it_has_the_same_pictures(shapes: str, workers: int, accumulation: int) -> None:
    pairs = pairs_of(shapes)
    alone = list(load_steps(pairs, Places(BATCH), range(3)))
    shared = [list(load_steps(pairs, Places(BATCH, rank, workers, accumulation), range(3))) for rank in range(workers)]
    for step in range(3):
        parts = {(rank, micro): shared[rank][step] for rank in range(workers) for micro in range(accumulation)}
        assert all(len(data.micro_batches) == accumulation for data in parts.values())
        assert whole(parts, workers, accumulation).equal(alone[step].micro_batches[0].source_BHWC)


@pytest.mark.parametrize("processes", [1, 3, 20])
def test_loading_in_processes_gives_the_same(shapes: str, processes: int) -> None:
    pairs, places = pairs_of(shapes), Places(BATCH, 1, 2, 2)
    here = list(load_steps(pairs, places, range(3, 6)))
    there = list(load_steps(pairs, places, range(3, 6), processes=processes, prefetch_steps=1))
    assert [len(data.micro_batches) for data in here] == [2, 2, 2]
    for one, other in zip(here, there, strict=True):
        for mine, yours in zip(one.micro_batches, other.micro_batches, strict=True):
            assert mine.source_BHWC.equal(yours.source_BHWC)
            assert mine.driving_BHWC.equal(yours.driving_BHWC)


def test_a_later_start_gives_the_rest(shapes: str) -> None:
    pairs = pairs_of(shapes)
    all_steps = list(load_steps(pairs, Places(BATCH), range(10)))
    rest = list(load_steps(pairs_of(shapes), Places(BATCH), range(7, 10)))
    for one, other in zip(all_steps[7:], rest, strict=True):
        assert one.micro_batches[0].driving_BHWC.equal(other.micro_batches[0].driving_BHWC)


def test_pictures_become_what_the_model_takes(shapes: str) -> None:
    (data,) = load_steps(pairs_of(shapes), Places(BATCH), range(1))
    batch = data.micro_batches[0].to_model(torch.device("cpu"), torch.channels_last)
    assert batch["source"].shape == (BATCH, 3, 64, 64)
    assert batch["source"].dtype == torch.float32
    assert batch["source"].is_contiguous(memory_format=torch.channels_last)
    picture = data.micro_batches[0].source_BHWC[2, 5, 7]
    assert torch.allclose(batch["source"][2, :, 5, 7], picture.float() / 127.5 - 1)


@pytest.mark.parametrize("processes", [0, 2])
def test_bad_clips_are_counted(tmp_path: Path, processes: int) -> None:
    shards = write_shapes(tmp_path, clips=8, validation=0)
    damage(tmp_path, "clip3", shards)
    steps = list(load_steps(pairs_of(shards, pairs_per_clip=1), Places(BATCH), range(4), processes=processes))
    assert [data.unreadable for data in steps] == [1, 1, 1, 1]


@pytest.mark.parametrize("processes", [0, 1])
def test_an_error_is_the_same_from_every_process(tmp_path: Path, processes: int) -> None:
    shards = write_shapes(tmp_path / "bad", clips=2, validation=0)
    for key in ("clip0", "clip1"):
        damage(tmp_path / "bad", key, shards)
    with pytest.raises(JobError, match="nor could 16 other clips be read"):
        list(load_steps(pairs_of(shards), Places(BATCH), range(1), processes=processes))
    gone = write_shapes(tmp_path / "gone", clips=2, validation=0)
    pairs = pairs_of(gone)
    next((tmp_path / "gone").glob("[0-9a-f]*.tar")).unlink()
    with pytest.raises(NoFileError):
        list(load_steps(pairs, Places(BATCH), range(1), processes=processes))


def test_a_killed_process_is_told_and_not_waited_for(shapes: str) -> None:
    steps = load_steps(pairs_of(shapes), Places(BATCH), range(100_000), processes=2)
    next(steps)
    os.kill(decoding()[0].pid, signal.SIGKILL)
    with pytest.raises(ProcessDied, match="a process that decodes training clips was ended by SIGKILL"):
        deque(steps, maxlen=0)
    assert not decoding()


def test_nothing_stays_behind_when_training_ends_early(shapes: str) -> None:
    threads = set(threading.enumerate())  # not their number: others' may end meanwhile
    steps = load_steps(pairs_of(shapes), Places(BATCH), range(100_000), processes=2)
    next(steps)
    assert len(decoding()) == 2
    assert not set(threading.enumerate()) <= threads
    steps.close()  # type: ignore[attr-defined]
    assert not decoding()
    assert set(threading.enumerate()) <= threads


def test_processes_do_not_outlive_a_killed_training(shapes: str) -> None:
    code = (
        "import time\n"
        "from tests.liax.data.test_loader import *\n"
        "if __name__ == '__main__':\n"
        f"    steps = load_steps(pairs_of({shapes!r}), Places(BATCH), range(100_000), processes=2)\n"
        "    next(steps)\n"
        "    print(*[child.pid for child in decoding()], flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT, text=True) as training:
        try:
            assert training.stdout is not None
            children = [psutil.Process(int(pid)) for pid in training.stdout.readline().split()]
        finally:
            training.kill()
    assert len(children) == 2
    assert not psutil.wait_procs(children, timeout=60)[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_processes_go_on_after_a_signal_to_the_group(shapes: str, number: signal.Signals) -> None:
    """Ctrl-C and torchrun send one to all of a group at once; here, as in training, the parent does not end of it."""
    code = (
        "import os, signal\n"
        "from tests.liax.data.test_loader import *\n"
        "if __name__ == '__main__':\n"
        f"    signal.signal({number.value}, lambda number, frame: None)\n"
        f"    steps = load_steps(pairs_of({shapes!r}), Places(BATCH), range(60), processes=2)\n"
        "    next(steps)\n"
        f"    os.killpg(0, {number.value})\n"
        "    print(sum(1 for _ in steps))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, start_new_session=True
    )
    assert done.stdout == "59\n", done.stderr


def decoding() -> list[psutil.Process]:
    """This process's children that decode."""
    return [child for child in psutil.Process().children() if "spawn_main" in command(child.pid)]


def damage(folder: Path, key: str, shards: str) -> None:
    """Overwrite a clip's video within its tar."""
    ref = next(ref for ref in ShardSet(shards).samples if ref.sample.key == key)
    start, length = ref.sample.offsets["mp4"]
    tar = folder / Path(ref.tar_url).name
    data = bytearray(tar.read_bytes())
    data[start : start + length] = bytes(length)
    tar.write_bytes(data)
