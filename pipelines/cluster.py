"""What the Ray that a run is on can hold."""

from collections.abc import Sequence

from liax import ray_session
from liax.errors import UserError

GIB = 1024**3


def cores() -> int:
    """Cores of the whole cluster, at least 1. Ray must be running."""
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def room(cpus: float, memory_bytes: int) -> int:
    """How many workers that reserve this much the living nodes hold in all, were they empty. Ray must be running."""
    return ray_session.room({"CPU": cpus, "memory": memory_bytes})


def check_memory(workers_bytes: Sequence[int]) -> None:
    """Refuse a run whose workers would wait for ever for memory that is nowhere.

    Args:
        workers_bytes: what one worker of each stage that runs at the same time reserves.

    Raises:
        UserError: the nodes cannot hold one of each.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    memories = [node.get("memory", 0.0) for node in nodes if node.get("CPU", 0.0) > 0]
    left = list(memories)
    for worker_bytes in sorted(workers_bytes, reverse=True):
        left.sort()
        if left and left[-1] >= worker_bytes:
            left[-1] -= worker_bytes
            continue
        has = " + ".join(f"{memory / GIB:.1f}" for memory in memories)
        needs = " + ".join(f"{memory / GIB:.1f}" for memory in workers_bytes)
        raise UserError(
            f"Ray has {has} GiB of memory for workers, and one worker of each stage reserves {needs} GiB: free some, "
            "or lower work.faces_memory_bytes and work.clips_memory_bytes"
        )
