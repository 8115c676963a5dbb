"""What a check has found: its state, what was seen where, and how to mend it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "wrong", "not checked"]

STATES: tuple[State, ...] = ("wrong", "warning", "not checked", "ok")
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Args:
        check: name of the check, two words at most.
        state: how it is.
        seen: what was seen; for `not checked`, why not.
        mend: what to do about it; empty where nothing is to be done.
        nodes: names of the nodes that it is about; empty for the whole cluster.
    """

    check: str
    state: State
    seen: str
    mend: str = ""
    nodes: tuple[str, ...] = ()


def fold(findings: Iterable[Finding]) -> list[Finding]:
    """Findings that differ in their nodes alone made one, in the order of the first."""
    nodes: dict[Finding, list[str]] = {}
    for finding in findings:
        same = Finding(finding.check, finding.state, finding.seen, finding.mend)
        nodes.setdefault(same, []).extend(finding.nodes)
    return [
        Finding(same.check, same.state, same.seen, same.mend, tuple(dict.fromkeys(names)))
        for same, names in nodes.items()
    ]


def failures(check: str, failed: Mapping[str, str], mend: str) -> list[Finding]:
    """A wrong finding for each node that did not do what it was asked, by what came instead."""
    return [Finding(check, "wrong", text, mend, (name,)) for name, text in failed.items()]


def worst(findings: Iterable[Finding]) -> State:
    """The worst state of all; `ok` where nothing was found."""
    found = {finding.state for finding in findings}
    return next((state for state in STATES if state in found), "ok")
