"""The machine's numbers."""

from pathlib import Path

import pytest
import torch

from liax.training import system
from liax.training.system import system_numbers


def test_numbers_of_this_machine(tmp_path: Path) -> None:
    numbers = system_numbers(str(tmp_path))
    assert all(name.startswith("system/") for name in numbers)
    assert 0.01 < numbers["system/memory_gib"] < 1000
    assert 0 < numbers["system/memory_free_gib"] < 100_000
    assert numbers["system/disk_free_gib"] >= 0
    assert numbers["system/load"] >= 0


def test_work_is_seen_in_the_processor_time(tmp_path: Path) -> None:
    system_numbers(str(tmp_path))
    assert sum(range(3_000_000)) > 0
    assert system_numbers(str(tmp_path))["system/cpu_percent"] > 1


def test_what_cannot_be_told_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "_PROC", tmp_path / "none")
    assert set(system_numbers("s3://bucket/run")) == {"system/cpu_percent", "system/load"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_numbers_of_a_gpu(tmp_path: Path) -> None:
    kept = torch.zeros(2**28, device="cuda")
    numbers = system_numbers(str(tmp_path))
    assert 1 <= numbers["system/gpu_memory_gib"] <= numbers["system/gpu_memory_peak_gib"]
    assert numbers["system/gpu_memory_free_gib"] > 0
    del kept
