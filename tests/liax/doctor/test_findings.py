"""Findings of many nodes made one, and what they come to."""

import json

from liax.doctor.findings import Finding, State, fold, worst
from liax.doctor.report import as_json, closing, text


def finding(state: State = "ok", check: str = "disk", seen: str = "room", nodes: tuple[str, ...] = ()) -> Finding:
    return Finding(check, state, seen, "mend it" if state != "ok" else "", nodes)


def test_findings_that_differ_in_their_nodes_alone_are_one() -> None:
    folded = fold([finding(nodes=("a",)), finding("wrong", nodes=("b",)), finding(nodes=("c",)), finding(nodes=("a",))])
    assert [(one.state, one.nodes) for one in folded] == [("ok", ("a", "c")), ("wrong", ("b",))]


def test_the_worst_state_decides() -> None:
    assert worst([]) == "ok"
    assert worst([finding(), finding("not checked")]) == "not checked"
    assert worst([finding("wrong"), finding("warning"), finding()]) == "wrong"


def test_lines_are_aligned_and_the_worst_of_a_check_comes_last() -> None:
    shown = text([finding("wrong", nodes=("b",), seen="full"), finding(nodes=("a", "c"))], nodes=3).splitlines()
    assert shown == [
        "disk            ok           a, c: room",
        "                WRONG        b: full",
        "                             -> mend it",
    ]


def test_many_nodes_are_counted_and_all_nodes_are_said() -> None:
    names = tuple(f"10.0.0.{number}" for number in range(12))
    assert "all 12 nodes: room" in text([finding(nodes=names)], nodes=12)
    assert "12 nodes, 10.0.0.0, 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4 and 7 more: room" in text(
        [finding(nodes=names)], nodes=13
    )


def test_no_line_is_longer_than_a_terminal() -> None:
    shown = text([finding("wrong", seen="many words " * 40, nodes=("a", "b"))], nodes=3)
    assert max(len(line) for line in shown.splitlines()) <= 120
    assert shown.count("many words") == 40 - shown.count("many\n")  # wrapped, not cut


def test_the_last_line_names_what_to_mend() -> None:
    assert closing([finding(), finding("wrong", "network"), finding("wrong", "disk")]).startswith(
        "Mend first: network, disk."
    )
    assert closing([finding("warning", "clocks")]) == "Nothing is wrong; look at: clocks."
    assert closing([finding(), finding("not checked", "MLflow")]) == "Nothing is wrong. Not checked: MLflow."


def test_machines_get_the_same_in_json() -> None:
    whole = json.loads(as_json([finding(nodes=("a",)), finding(nodes=("b",)), finding("warning", "clocks")]))
    assert whole["state"] == "warning"
    assert whole["counts"] == {"wrong": 0, "warning": 1, "not checked": 0, "ok": 1}
    assert whole["findings"][0] == {"check": "disk", "state": "ok", "seen": "room", "mend": "", "nodes": ["a", "b"]}
