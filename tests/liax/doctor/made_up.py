"""Nodes and what they say, without any Ray."""

from typing import Any

from liax.doctor.machine import GIB, Machine
from liax.doctor.nodes import Node


def a_node(name: str, **changes: Any) -> Node:
    """A node of a training, with nothing wrong about it."""
    values: dict[str, Any] = {
        "id": name,
        "name": name,
        "hostname": f"host-{name}",
        "cpus": 48.0,
        "gpus": 8,
        "memory_bytes": 300 * GIB,
        "store_bytes": 1 * GIB,
        "folder": "/tmp/ray/session_1",
        "head": False,
    }
    return Node(**values | changes)


def a_machine(**changes: Any) -> Machine:
    """What such a node says of itself."""
    values: dict[str, Any] = {
        "processor": "Fast CPU (x86_64)",
        "shared_bytes": 16 * GIB,
        "disk_bytes": 200 * GIB,
        "free_bytes": 150 * GIB,
        "open_files": 65536,
        "clock_s": 1000.0,
        "ffmpeg": "7.0.2-static",
    }
    return Machine(**values | changes)
