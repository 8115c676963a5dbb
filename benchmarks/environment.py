"""What a measurement was made on and with: hardware, versions and commit, for the head of every result."""

import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BYTES_PER_GIB = 2**30


def environment() -> dict[str, str | int | float | bool | None]:
    """Hardware, versions and commit.

    Returns:
        processor (name), cores (that this process may use), memory_gib, system, python, torch, gpu (name or None),
        cuda (version or None), commit (or None outside of a clone), dirty (whether files differ from it).
    """
    import torch

    on_gpu = torch.cuda.is_available()
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / BYTES_PER_GIB, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if on_gpu else None,
        "cuda": torch.version.cuda if on_gpu else None,
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(changes),
    }


def _processor() -> str:
    """The processor's name with its family and model, which cloud machines' names leave out."""
    facts: dict[str, str] = {}
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8").split("\n\n")[0].splitlines():
            name, _, value = line.partition(":")
            facts[name.strip()] = value.strip()
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    return f"{facts['model name']} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')})"


def _git(*arguments: str) -> str | None:
    """What git answers in the project's folder; None where there is no git or no clone."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
