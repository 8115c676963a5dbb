"""Whether every node reaches every other at any port, as Ray and NCCL, which choose free ones, need it."""

import socket
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from liax.doctor.findings import Finding, failures
from liax.doctor.nodes import Node, collect, pinned

CHECK = "network"
CONNECT_WITHIN_S = 5.0
"""Our choice, because machines of one network answer within milliseconds, and what a firewall drops never comes."""
_GREETING = b"liax doctor\n"
_AT_ONCE = 32
MEND = (
    "let the cluster's machines reach each other on all TCP ports, and nobody else: a security group that names itself "
    "as source (infra/aws/account.yaml), a NetworkPolicy (infra/kubernetes/base.yaml), or the firewall"
)


class Peer:
    """A node's part: it listens at a free port, and knocks at the others'."""

    def listen(self) -> tuple[str, int]:
        """Greet whoever comes, until this process ends. Returns the address and port."""
        import ray

        listening = socket.create_server((ray.util.get_node_ip_address(), 0))

        def greet() -> None:
            while True:
                with listening.accept()[0] as taken:
                    taken.sendall(_GREETING)

        threading.Thread(target=greet, daemon=True).start()
        address = listening.getsockname()
        return str(address[0]), int(address[1])

    def knock(self, others: Mapping[str, tuple[str, int]]) -> dict[str, str]:
        """Why some of the others cannot be reached from here, by name."""
        with ThreadPoolExecutor(max_workers=_AT_ONCE) as threads:
            found = dict(zip(others, threads.map(_failure, others.values()), strict=True))
        return {name: failure for name, failure in found.items() if failure is not None}


def check_network(nodes: Sequence[Node], limit_s: float) -> list[Finding]:
    """Let every node reach every other.

    Args:
        nodes: all of them.
        limit_s: how long each step may take.
    """
    import ray

    if len(nodes) < 2:
        return [Finding(CHECK, "not checked", "there is one machine only")]
    peer: Any = ray.remote(num_cpus=0)(Peer)
    peers = {node.name: peer.options(**pinned(node)).remote() for node in nodes}
    try:
        doors, mute = collect({actor.listen.remote(): name for name, actor in peers.items()}, limit_s)
        calls = {
            peers[name].knock.remote({other: door for other, door in doors.items() if other != name}): name
            for name in doors
        }
        missed, lost = collect(calls, limit_s)
    finally:
        for actor in peers.values():
            ray.kill(actor)
    unheard = failures(CHECK, {**mute, **lost}, "see `ray status` and Ray's logs of that machine")
    return [*unheard, *judge_network(missed)]


def judge_network(missed: Mapping[str, Mapping[str, str]]) -> list[Finding]:
    """Judge who does not reach whom: where a node is cut off from all others, it alone is named.

    Args:
        missed: why a node did not reach another, by both names.
    """
    if len(missed) < 2:
        return [Finding(CHECK, "not checked", "fewer than two machines answered")]
    everybody = set(missed)
    cut_off = [name for name in missed if len(missed[name]) == len(everybody) - 1]
    unreached = [name for name in missed if all(name in missed[other] for other in everybody - {name})]
    findings = []
    for name in missed:
        why = next(iter([*missed[name].values(), *(found[name] for found in missed.values() if name in found)]), "")
        if name in unreached:
            findings.append(Finding(CHECK, "wrong", f"no other machine reaches it ({why})", MEND, (name,)))
        elif name in cut_off:
            findings.append(Finding(CHECK, "wrong", f"it reaches no other machine ({why})", MEND, (name,)))
        # What a cut-off machine does not reach is told with it.
        pairs = {other: reason for other, reason in missed[name].items() if other not in unreached}
        if name not in cut_off and name not in unreached:
            findings += [
                Finding(CHECK, "wrong", f"it does not reach {o} ({r})", MEND, (name,)) for o, r in pairs.items()
            ]
    if not findings:
        findings.append(Finding(CHECK, "ok", "each reaches each other at a free port", nodes=tuple(missed)))
    return findings


def _failure(door: tuple[str, int]) -> str | None:
    try:
        with socket.create_connection(door, timeout=CONNECT_WITHIN_S) as connection:
            return None if connection.recv(len(_GREETING)) == _GREETING else "something else answers there"
    except OSError as error:
        return error.strerror or str(error) or type(error).__name__
