"""Who does not reach whom."""

from liax.doctor.findings import Finding
from liax.doctor.network import Peer, _failure, check_network, judge_network
from tests.liax.doctor.made_up import a_node
from tests.ports import free_port

WHY = "timed out"


def wrong(missed: dict[str, dict[str, str]]) -> list[tuple[str, tuple[str, ...]]]:
    found = judge_network(missed)
    return [(one.seen, one.nodes) for one in found if one.state == "wrong"]


def test_all_reach_all() -> None:
    assert judge_network({"a": {}, "b": {}}) == [
        Finding("network", "ok", "each reaches each other at a free port", "", ("a", "b"))
    ]


def test_a_node_that_nobody_reaches_is_named_alone() -> None:
    assert wrong({"a": {"c": WHY}, "b": {"c": WHY}, "c": {}}) == [("no other machine reaches it (timed out)", ("c",))]


def test_a_node_that_reaches_nobody_is_named_alone() -> None:
    assert wrong({"a": {}, "b": {}, "c": {"a": WHY, "b": WHY}}) == [("it reaches no other machine (timed out)", ("c",))]


def test_a_node_that_is_cut_off_both_ways_is_named_alone() -> None:
    both = {"a": {"c": WHY}, "b": {"c": WHY}, "c": {"a": WHY, "b": WHY}}
    assert wrong(both) == [("no other machine reaches it (timed out)", ("c",))]


def test_a_single_way_that_is_closed_is_named() -> None:
    assert wrong({"a": {"b": WHY}, "b": {}, "c": {}}) == [("it does not reach b (timed out)", ("a",))]


def test_a_closed_port_is_told() -> None:
    assert _failure(("127.0.0.1", free_port())) == "Connection refused"


def test_one_machine_has_nobody_to_reach() -> None:
    (found,) = check_network([a_node("a")], limit_s=1.0)
    assert found.state == "not checked"
    assert Peer().knock({}) == {}
