"""What Ray says of its nodes."""

from typing import Any

from liax.doctor.examine import judge_size, workers_of
from liax.doctor.findings import Finding
from liax.doctor.nodes import living
from tests.liax.doctor.made_up import a_node


def said(identity: str, address: str, alive: bool = True, **resources: float) -> dict[str, Any]:
    return {
        "NodeID": identity,
        "Alive": alive,
        "NodeManagerAddress": address,
        "NodeManagerHostname": "host",
        "ObjectStoreSocketName": "/data/ray/session_1/sockets/plasma_store",
        "Resources": {name.replace("head", "node:__internal_head__"): value for name, value in resources.items()},
    }


def test_living_nodes_by_address_the_head_first() -> None:
    nodes = living(
        [
            said("b2", "10.0.0.2", CPU=8, GPU=2, memory=9),
            said("x", "10.0.0.9", alive=False),
            said("h1", "10.0.0.3", head=1),
        ]
    )
    assert [(node.name, node.cpus, node.gpus, node.head) for node in nodes] == [
        ("10.0.0.3", 0, 0, True),
        ("10.0.0.2", 8, 2, False),
    ]
    assert nodes[0].folder == "/data/ray/session_1"


def test_nodes_of_one_address_are_told_apart() -> None:
    nodes = living([said("aaaaaaaa1", "127.0.0.1"), said("bbbbbbbb2", "127.0.0.1")])
    assert [node.name for node in nodes] == ["127.0.0.1#aaaaaa", "127.0.0.1#bbbbbb"]


def test_machines_and_gpus_that_did_not_come_are_counted() -> None:
    nodes = [a_node("a"), a_node("b")]
    assert [one.state for one in judge_size(nodes, None, None)] == ["ok", "ok"]
    assert [one.state for one in judge_size(nodes, 2, 16)] == ["ok", "ok"]
    texts = [one.seen for one in judge_size(nodes, 3, 24) if one.state == "wrong"]
    assert texts == ["2 of 3 are there", "16 of 24 GPUs are there"]


def test_workers_add_up_where_gpus_work_and_without_any_everywhere() -> None:
    head, a, b = a_node("head", gpus=0), a_node("a"), a_node("b")
    assert workers_of([head, a, b], []) == [a, b]
    assert workers_of([head, a, b], [Finding("GPUs", "wrong", "none", nodes=("a",))]) == [b]
    assert workers_of([head, a], [Finding("GPUs", "wrong", "none", nodes=("a",))]) == []
    assert workers_of([head], []) == [head]
