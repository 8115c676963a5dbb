"""The cluster's nodes, and asking something of each of them: with a limit, so that a stuck one is told and not waited
for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")

NO_ANSWER = "no answer within"
"""How what is told of a stuck node begins."""

LOST = "it no longer answers Ray's head, which has given it up"
"""What is told of a node that went, or was stuck for longer than Ray waits (some half a minute)."""

IMPORT_ERRORS = ("ModuleNotFoundError", "ImportError", "AttributeError")
"""How what is told of a node begins that has no liax, or another one."""

SHOW_DEVICES = {"RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"}
"""Environment of a task that is to see all the GPUs of its node, as training workers do, and not those alone that it
has reserved."""


@dataclass(frozen=True, slots=True)
class Node:
    """A living node.

    Args:
        id: Ray's.
        name: its address; where several nodes have the same, the beginning of the id too.
        hostname: what the machine calls itself.
        cpus: cores that Ray gives away there.
        gpus: GPUs that Ray gives away there.
        memory_bytes: memory that Ray gives away there.
        store_bytes: size of its object store.
        folder: Ray's folder of this session there, with logs and what does not fit into memory.
        head: whether the cluster's head runs there.
    """

    id: str
    name: str
    hostname: str
    cpus: float
    gpus: int
    memory_bytes: int
    store_bytes: int
    folder: str
    head: bool


def living(nodes: Sequence[Mapping[str, Any]]) -> list[Node]:
    """The living nodes, the head first, then by name.

    Args:
        nodes: as `ray.nodes()` gives them.
    """
    alive = [node for node in nodes if node["Alive"]]
    addresses = [str(node["NodeManagerAddress"]) for node in alive]
    found = []
    for node, address in zip(alive, addresses, strict=True):
        has, identity = node["Resources"], str(node["NodeID"])
        found.append(
            Node(
                id=identity,
                name=address if addresses.count(address) == 1 else f"{address}#{identity[:6]}",
                hostname=str(node["NodeManagerHostname"]),
                cpus=float(has.get("CPU", 0.0)),
                gpus=int(has.get("GPU", 0.0)),
                memory_bytes=int(has.get("memory", 0.0)),
                store_bytes=int(has.get("object_store_memory", 0.0)),
                folder=str(Path(node["ObjectStoreSocketName"]).parent.parent),
                head="node:__internal_head__" in has,
            )
        )
    return sorted(found, key=lambda node: (not node.head, node.name))


def ask(
    calls: Mapping[Node, tuple[Any, ...]],
    function: Callable[..., Result],
    limit_s: float,
    environment: Mapping[str, str] | None = None,
) -> tuple[dict[str, Result], dict[str, str]]:
    """Call a function on each node, on all at the same time, beside whatever else they do.

    Args:
        calls: its arguments, by node.
        function: of a module that the nodes have too.
        limit_s: how long is waited.
        environment: variables that its process is to have.

    Returns:
        What it returned, and what went wrong in one line, each by the node's name.
    """
    import ray

    task: Any = ray.remote(num_cpus=0, max_retries=0)(function)
    waiting = {task.options(**pinned(node, environment)).remote(*given): node.name for node, given in calls.items()}
    return collect(waiting, limit_s)


def pinned(node: Node, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Ray's options of a task or actor that runs on a node and nowhere else."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    own = {"runtime_env": {"env_vars": dict(environment)}} if environment else {}
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node.id, soft=False)} | own


def collect(waiting: Mapping[Any, str], limit_s: float) -> tuple[dict[str, Any], dict[str, str]]:
    """Wait for what was called, and end what does not come.

    Args:
        waiting: names by Ray's reference to the answer.
        limit_s: how long is waited.

    Returns:
        The answers, and what went wrong in one line, each by name.
    """
    import ray

    told: dict[str, Any] = {}
    failed: dict[str, str] = {}
    done, late = ray.wait(list(waiting), num_returns=len(waiting), timeout=limit_s) if waiting else ([], [])
    for reference in done:
        try:
            told[waiting[reference]] = ray.get(reference)
        except (ray.exceptions.TaskUnschedulableError, ray.exceptions.ActorUnschedulableError):
            failed[waiting[reference]] = LOST
        except ray.exceptions.RayError as error:
            failed[waiting[reference]] = _one_line(error)
    for reference in late:
        failed[waiting[reference]] = f"{NO_ANSWER} {limit_s:g} s"
        _end(reference)
    order = list(waiting.values())
    return {name: told[name] for name in order if name in told}, {
        name: failed[name] for name in order if name in failed
    }


def _end(reference: Any) -> None:
    import ray

    try:
        ray.cancel(reference, force=True)
    except ValueError:  # an actor's call; who made the actor ends it
        ray.cancel(reference)


def _one_line(error: Exception) -> str:
    """What the function raised there, without Ray's account of how it travelled."""
    cause = getattr(error, "cause", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    if not lines:
        return type(cause).__name__
    # Where the node could not even load the function, Ray puts Python's own last line at the end.
    missing = [line for line in lines if line.startswith(IMPORT_ERRORS)]
    return missing[-1] if missing else lines[0]
