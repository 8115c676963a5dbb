"""How the machine of a training's leading worker fares: numbers named `system/…`, cheap enough for every few steps."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import torch

from liax import storage
from liax.training.records import Numbers

_GIB = 2**30
_PROC = Path("/proc")


class _Busy:
    """Processor time of this process since the last look."""

    def __init__(self) -> None:
        self._cpu_s, self._at_s = time.process_time(), time.monotonic()

    def percent(self) -> float:
        """Of one core; all threads of the process together, so 400 with four cores in use."""
        cpu_s, at_s = time.process_time(), time.monotonic()
        spent_s, passed_s = cpu_s - self._cpu_s, at_s - self._at_s
        self._cpu_s, self._at_s = cpu_s, at_s
        return 100 * spent_s / max(passed_s, 1e-9)


_BUSY = _Busy()


def system_numbers(output: str) -> Numbers:
    """The numbers now; those that this machine does not tell are left out.

    `system/cpu_percent` (of one core, since the last call), `system/load` (processes that run or wait, over a minute),
    `system/memory_gib` (of this process), `system/memory_free_gib`, `system/disk_free_gib` (where a local output is),
    and where CUDA is in use `system/gpu_memory_gib`, `system/gpu_memory_peak_gib`, `system/gpu_memory_free_gib`,
    `system/gpu_percent`.

    Args:
        output: of the run.
    """
    numbers = {"system/cpu_percent": _BUSY.percent(), "system/load": os.getloadavg()[0]}
    memory = _table(_PROC / "self" / "status") | _table(_PROC / "meminfo")
    for name, entry in (("memory_gib", "VmRSS"), ("memory_free_gib", "MemAvailable")):
        if entry in memory:
            numbers[f"system/{name}"] = memory[entry] / _GIB
    if not storage.is_s3(output) and Path(output).is_dir():
        numbers["system/disk_free_gib"] = shutil.disk_usage(output).free / _GIB
    return numbers | _gpu_numbers()


def _gpu_numbers() -> Numbers:
    """Of this worker's GPU. None where CUDA was not started: asking would start it, which takes memory."""
    if not torch.cuda.is_initialized():
        return {}
    free_bytes, _ = torch.cuda.mem_get_info()
    numbers = {
        "system/gpu_memory_gib": torch.cuda.memory_allocated() / _GIB,
        "system/gpu_memory_peak_gib": torch.cuda.max_memory_allocated() / _GIB,
        "system/gpu_memory_free_gib": free_bytes / _GIB,
    }
    try:
        from pynvml import NVMLError
    except ImportError:
        return numbers
    with suppress(NVMLError, RuntimeError):  # a driver that does not tell, as for a part of a GPU
        numbers["system/gpu_percent"] = float(torch.cuda.utilization())
    return numbers


def _table(path: Path) -> dict[str, int]:
    """The sizes in one of the kernel's tables of `Name:   123 kB`, in bytes; empty where there is no such table."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    rows = (line.replace(":", " ").split() for line in lines)
    return {row[0]: int(row[1]) * 1024 for row in rows if len(row) == 3 and row[2] == "kB"}
