"""What each machine is like: shared memory, disk, open files, clock, processor, ffmpeg."""

import os
import platform
import resource
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from liax.doctor.findings import Finding, State
from liax.doctor.nodes import Node

GIB = 1024**3

SHARED_MEMORY = "/dev/shm"
GPU_SHARED_BYTES = 1 * GIB
"""Shared memory of a GPU node beside the object store. Our choice, because the loader's processes hold 0.2 GiB ready
for a batch of 64 at 512 px, and NCCL some ten megabytes for each pair of GPUs (infra/README.md, "the sizes")."""

FULL_SHARE = 0.95
"""Ray puts nothing more on a disk that is fuller (its RAY_local_fs_capacity_threshold)."""
LEAST_FREE_BYTES = 10 * GIB
"""Our choice, because a node holds a copy of a source video, logs, and what does not fit into the object store."""

LEAST_OPEN_FILES = 8192
"""Ray's manual asks for 65,536 on clusters of many nodes, and its own machines have that. Our choice of what is surely
too few: a process keeps several connections to each of the others that it speaks with."""

SKEW_WRONG_S, SKEW_WARNING_S = 900.0, 30.0
"""S3 refuses requests whose time is 15 minutes off (AWS, "RequestTimeTooSkewed"). The other is our choice: no machine
that asks a time server is so far off, and logs of several nodes can no longer be read side by side."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What a node says of itself.

    Args:
        processor: the CPU's name and architecture.
        shared_bytes: size of /dev/shm; None where there is none.
        disk_bytes: size of the disk that Ray's folder is on.
        free_bytes: how much of it is free.
        open_files: how many files a process may have open.
        clock_s: what time it is there, seconds since 1970.
        ffmpeg: the version of the ffmpeg that is used; empty if there is none.
        ffmpeg_failure: why there is none.
    """

    processor: str
    shared_bytes: int | None
    disk_bytes: int
    free_bytes: int
    open_files: int
    clock_s: float
    ffmpeg: str
    ffmpeg_failure: str = ""


def look(folder: str) -> Machine:
    """Look at the machine that this runs on.

    Args:
        folder: Ray's own.
    """
    disk = shutil.disk_usage(folder)
    ffmpeg, failure = _ffmpeg()
    return Machine(
        processor=f"{_processor_name()} ({platform.machine()})",
        shared_bytes=shutil.disk_usage(SHARED_MEMORY).total if Path(SHARED_MEMORY).is_dir() else None,
        disk_bytes=disk.total,
        free_bytes=disk.free,
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        clock_s=time.time(),
        ffmpeg=ffmpeg,
        ffmpeg_failure=failure,
    )


def judge_machines(machines: Mapping[Node, Machine], asked_s: float, answered_s: float) -> list[Finding]:
    """Judge what the nodes have said.

    Args:
        machines: by node.
        asked_s: when they were asked, by this machine's clock.
        answered_s: when the last one had answered.
    """
    findings = []
    for check, judge, room, what in (
        ("shared memory", _shared_memory, _shared_room, f"of {SHARED_MEMORY} beside Ray's object store"),
        ("disk", _disk, _disk_room, "free where Ray keeps its files"),
    ):
        found = {node: judge(node, machine) for node, machine in machines.items()}
        findings += [finding for finding in found.values() if finding is not None]
        rooms = {node.name: room(node, machine) for node, machine in machines.items() if found[node] is None}
        if rooms:  # one line, though no two nodes have the same number of bytes
            findings.append(Finding(check, "ok", f"at least {_size(min(rooms.values()))} {what}", nodes=tuple(rooms)))
    findings += [_open_files(node, machine) for node, machine in machines.items()]
    clocks = {node.name: machine.clock_s for node, machine in machines.items()}
    return [*findings, *judge_clocks(clocks, asked_s, answered_s), *_processors(machines), *_ffmpegs(machines)]


def judge_clocks(clocks: Mapping[str, float], asked_s: float, answered_s: float) -> list[Finding]:
    """How far the nodes' clocks are surely off: a time between question and answer may be right.

    Args:
        clocks: by node, seconds since 1970.
        asked_s: when they were asked, by this machine's clock.
        answered_s: when the last one had answered.
    """
    findings = []
    for node, clock_s in clocks.items():
        off_s = clock_s - answered_s if clock_s > answered_s else min(0.0, clock_s - asked_s)
        state: State = "ok"
        seen, mend = f"within {SKEW_WARNING_S:g} s of this machine's", ""
        if abs(off_s) > SKEW_WARNING_S:
            state = "wrong" if abs(off_s) > SKEW_WRONG_S else "warning"
            seen = f"{abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} this machine's"
            mend = "let it ask a time server (chrony, or systemd-timesyncd): S3 refuses what is 15 minutes off"
        findings.append(Finding("clocks", state, seen, mend, (node,)))
    return findings


def _shared_room(node: Node, machine: Machine) -> int:
    return (machine.shared_bytes or 0) - node.store_bytes


def _disk_room(node: Node, machine: Machine) -> int:
    return machine.free_bytes


def _shared_memory(node: Node, machine: Machine) -> Finding | None:
    check, has = "shared memory", machine.shared_bytes or 0
    beside = GPU_SHARED_BYTES if node.gpus else 0
    seen = f"{SHARED_MEMORY} has {_size(has)}, Ray's object store takes {_size(node.store_bytes)}"
    wanted = -(-(node.store_bytes + GPU_SHARED_BYTES) // GIB)
    mend = (
        f"start the container with --shm-size={wanted}g, on Kubernetes mount an emptyDir of medium Memory at "
        f"{SHARED_MEMORY} (infra/kubernetes/train.yaml); or start Ray with a smaller --object-store-memory"
    )
    if has < node.store_bytes:
        return Finding(check, "wrong", f"{seen} and is on the slow disk instead", mend, (node.name,))
    if has < node.store_bytes + beside:
        return Finding(check, "warning", f"{seen}: too little is left for loaders and NCCL", mend, (node.name,))
    return None


def _disk(node: Node, machine: Machine) -> Finding | None:
    seen = f"{_size(machine.free_bytes)} free of {_size(machine.disk_bytes)} at {Path(node.folder).parent}"
    mend = "free some, or start Ray with --temp-dir on a larger disk"
    if machine.free_bytes < (1 - FULL_SHARE) * machine.disk_bytes:
        text = f"{seen}: Ray puts nothing more on a disk that is {FULL_SHARE:.0%} full"
        return Finding("disk", "wrong", text, mend, (node.name,))
    if machine.free_bytes < LEAST_FREE_BYTES:
        return Finding("disk", "warning", seen, mend, (node.name,))
    return None


def _open_files(node: Node, machine: Machine) -> Finding:
    seen = f"a process may have {machine.open_files} open"
    if machine.open_files < LEAST_OPEN_FILES:
        mend = "ulimit -n 65536 before `ray start`, or `ulimits` of the container"
        return Finding("open files", "warning", seen, mend, (node.name,))
    return Finding("open files", "ok", seen, nodes=(node.name,))


def _processors(machines: Mapping[Node, Machine]) -> list[Finding]:
    kinds: dict[str, list[str]] = {}
    for node, machine in machines.items():
        if node.cpus:  # a head without cores makes no shards
            kinds.setdefault(machine.processor, []).append(node.name)
    if len(kinds) <= 1:
        return [Finding("processors", "ok", kind, nodes=tuple(names)) for kind, names in kinds.items()]
    mend = "nothing, unless a run repeated elsewhere must give the same bytes: then preprocess on one kind"
    return [Finding("processors", "warning", kind, mend, tuple(names)) for kind, names in kinds.items()]


def _ffmpegs(machines: Mapping[Node, Machine]) -> list[Finding]:
    findings, versions = [], {machine.ffmpeg for machine in machines.values() if machine.ffmpeg}
    for node, machine in machines.items():
        if not machine.ffmpeg:
            mend = "install imageio-ffmpeg as uv.lock has it (infra/setup.sh); it brings an ffmpeg"
            findings.append(Finding("ffmpeg", "wrong", machine.ffmpeg_failure, mend, (node.name,)))
        elif len(versions) > 1:
            mend = "let all nodes have one: shards are the same bytes with one ffmpeg only"
            findings.append(Finding("ffmpeg", "wrong", machine.ffmpeg, mend, (node.name,)))
        else:
            findings.append(Finding("ffmpeg", "ok", machine.ffmpeg, nodes=(node.name,)))
    return findings


def _ffmpeg() -> tuple[str, str]:
    from liax.video.ffmpeg import ffmpeg_version

    try:
        version = ffmpeg_version()
    except (ImportError, OSError, RuntimeError) as error:  # the last is imageio-ffmpeg's
        return "", f"no ffmpeg: {(str(error) or type(error).__name__).splitlines()[0]}"
    return ("", "the ffmpeg that is there does not run") if version == "unknown" else (version, "")


def _processor_name() -> str:
    """As Linux tells it; elsewhere, or where it does not (many ARM machines), how many cores there are."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else f"{os.cpu_count()} cores"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / GIB:.1f} GiB" if size_bytes >= GIB else f"{size_bytes / 1024**2:.0f} MiB"
