"""What was found, for people and for machines."""

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from liax.doctor.findings import STATES, Finding, State, fold, worst

_CHECK_WIDTH, _STATE_WIDTH, _WIDTH = 16, 13, 120
_NAMED = 6
"""How many nodes are named; of more, the number is told. Our choice, because that many fit in a line."""
_SHOWN: dict[State, str] = {"ok": "ok", "warning": "warning", "wrong": "WRONG", "not checked": "not checked"}


def text(findings: Sequence[Finding], nodes: int) -> str:
    """The findings of some checks as aligned lines, the worst of each check last, where the eye is.

    Args:
        findings: unfolded.
        nodes: how many the cluster has.
    """
    order = {check: place for place, check in enumerate(dict.fromkeys(finding.check for finding in findings))}
    ranks = {state: place for place, state in enumerate(reversed(STATES))}
    folded = sorted(fold(findings), key=lambda finding: (order[finding.check], ranks[finding.state]))
    lines: list[str] = []
    for place, finding in enumerate(folded):
        again = place > 0 and folded[place - 1].check == finding.check
        lines += _lines(finding, "" if again else finding.check, nodes)
    return "\n".join(lines)


def closing(findings: Sequence[Finding]) -> str:
    """The last line: what it comes to."""
    by_state: dict[State, list[str]] = {
        state: list(dict.fromkeys(finding.check for finding in findings if finding.state == state)) for state in STATES
    }
    if by_state["wrong"]:
        return f"Mend first: {', '.join(by_state['wrong'])}. Nothing should be started before."
    unchecked = f" Not checked: {', '.join(by_state['not checked'])}." if by_state["not checked"] else ""
    if by_state["warning"]:
        return f"Nothing is wrong; look at: {', '.join(by_state['warning'])}.{unchecked}"
    return f"Nothing is wrong.{unchecked}"


def as_json(findings: Sequence[Finding]) -> str:
    """Everything, with the nodes of each finding by name."""
    counts = Counter(finding.state for finding in fold(findings))
    whole = {
        "state": worst(findings),
        "counts": {state: counts[state] for state in STATES},
        "findings": [asdict(finding) for finding in fold(findings)],
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _lines(finding: Finding, check: str, nodes: int) -> list[str]:
    head = f"{check:<{_CHECK_WIDTH}}{_SHOWN[finding.state]:<{_STATE_WIDTH}}"
    where = _where(finding.nodes, nodes)
    seen = f"{where}: {finding.seen}" if where else finding.seen
    indent = " " * len(head)
    lines = _wrapped(seen, head, indent)
    return lines + (_wrapped(f"-> {finding.mend}", indent, f"{indent}   ") if finding.mend else [])


def _wrapped(whole: str, first: str, later: str) -> list[str]:
    return textwrap.wrap(
        whole, _WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )


def _where(names: Sequence[str], nodes: int) -> str:
    if not names:
        return ""
    if len(names) == nodes and nodes > 1:
        return f"all {nodes} nodes"
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{len(names)} nodes, {', '.join(names[: _NAMED - 1])} and {len(names) - _NAMED + 1} more"
