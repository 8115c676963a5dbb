"""All checks of a cluster, one after the other, each on all nodes at the same time."""

import os
import time
from collections.abc import Iterator, Sequence

from liax.doctor.collective import check_collective
from liax.doctor.config import DoctorConfig
from liax.doctor.findings import Finding, failures
from liax.doctor.gpus import judge_gpus, look_at_gpus
from liax.doctor.machine import GIB, judge_machines, look
from liax.doctor.models import get_models, judge_models
from liax.doctor.network import check_network
from liax.doctor.nodes import IMPORT_ERRORS, SHOW_DEVICES, Node, ask
from liax.doctor.stores import MIB, check_output, check_reading
from liax.doctor.tracking import check_tracking
from liax.doctor.versions import judge_versions, versions_here
from liax.errors import UserError
from liax.tracking.address import NO_TRACKING, tracking_uri
from liax.training.launch import absolute, is_local
from liax.weights import VGG19

_MEND_SILENT = "look at that machine: its load, memory, and Ray's logs there (/tmp/ray/session_latest/logs)"
_MEND_CODE = "give every node the code with the job, ray job submit --working-dir . …, or install liax there as here"


def examine(config: DoctorConfig, nodes: Sequence[Node]) -> Iterator[list[Finding]]:
    """Check a cluster. Ray must be running.

    Args:
        config: what is checked.
        nodes: the living ones.

    Yields:
        What each check has found, as soon as it is done.
    """
    limit_s = config.limit_s
    yield judge_size(nodes, config.nodes, config.gpus)
    versions, mute = ask(dict.fromkeys(nodes, ()), versions_here, limit_s)
    yield [*_unheard(mute), *judge_versions(versions, versions_here())]
    # Who did not answer is not asked again: each time would cost the limit.
    answering = [node for node in nodes if node.name in versions]
    yield _machines(answering, limit_s)
    yield _models([node for node in answering if node.cpus], limit_s)
    found = _gpus(answering, limit_s)
    yield found
    yield check_network(answering, limit_s)
    yield check_collective(workers_of(answering, found), limit_s)
    size_bytes = config.transfer_mib * MIB
    for name, url in (("input", config.input), ("shards", config.shards)):
        yield (
            check_reading(name, answering, absolute(url), size_bytes, limit_s)
            if url
            else [Finding(name, "not checked", f"say {name}=… to read there from every machine")]
        )
    yield (
        check_output(answering, absolute(config.output), size_bytes, limit_s)
        if config.output
        else [Finding("output", "not checked", "say output=… to write and read there from every machine")]
    )
    yield _tracking(answering, config)


def judge_size(nodes: Sequence[Node], wanted_nodes: int | None, wanted_gpus: int | None) -> list[Finding]:
    """What the cluster consists of, and whether that is what was wanted.

    Args:
        nodes: the living ones.
        wanted_nodes: how many there must be; None for any number.
        wanted_gpus: how many GPUs there must be; None for any number.
    """
    findings = []
    for node in nodes:
        gpus = f", {node.gpus} GPU{'s' if node.gpus > 1 else ''}" if node.gpus else ""
        seen = f"{node.cpus:g} core{'' if node.cpus == 1 else 's'}{gpus}, {node.memory_bytes / GIB:.0f} GiB for jobs"
        role = "the head: " if node.head else ""
        findings.append(Finding("nodes", "ok", role + seen, nodes=(node.name,)))
    mend = "see `ray status` for what is coming and what cannot; a machine whose `ray start` failed says why itself"
    gpus_there = sum(node.gpus for node in nodes)
    if wanted_nodes is not None and len(nodes) < wanted_nodes:
        findings.append(Finding("nodes", "wrong", f"{len(nodes)} of {wanted_nodes} are there", mend))
    if wanted_gpus is not None and gpus_there < wanted_gpus:
        findings.append(Finding("nodes", "wrong", f"{gpus_there} of {wanted_gpus} GPUs are there", mend))
    return findings


def workers_of(nodes: Sequence[Node], found: Sequence[Finding]) -> list[Node]:
    """Where workers can add up: on the nodes with GPUs, or on all where there are none.

    Args:
        nodes: that answer.
        found: about their GPUs. Where those are wrong no group can be made, which need not be told again.
    """
    wrong = {name for finding in found if finding.state == "wrong" for name in finding.nodes}
    with_gpus = [node for node in nodes if node.gpus]
    return [node for node in with_gpus if node.name not in wrong] if with_gpus else list(nodes)


def _machines(nodes: Sequence[Node], limit_s: float) -> list[Finding]:
    asked_s = time.time()
    told, lost = ask({node: (node.folder,) for node in nodes}, look, limit_s)
    found = {node: told[node.name] for node in nodes if node.name in told}
    return [*failures("machines", lost, _MEND_SILENT), *judge_machines(found, asked_s, time.time())]


def _models(nodes: Sequence[Node], limit_s: float) -> list[Finding]:
    given = os.environ.get(VGG19.variable)
    # As in a training: a file of this machine is not for others to look for.
    shared = given if given and (not is_local(given) or "RAY_ADDRESS" not in os.environ) else None
    told, lost = ask(dict.fromkeys(nodes, (shared,)), get_models, limit_s)
    return [*failures("face model", lost, _MEND_SILENT), *judge_models(told)]


def _gpus(nodes: Sequence[Node], limit_s: float) -> list[Finding]:
    told, lost = ask(dict.fromkeys(nodes, ()), look_at_gpus, limit_s, SHOW_DEVICES)
    found = {node: told[node.name] for node in nodes if node.name in told}
    return [*failures("GPUs", lost, _MEND_SILENT), *judge_gpus(found)]


def _tracking(nodes: Sequence[Node], config: DoctorConfig) -> list[Finding]:
    asked = config.tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not asked or asked == NO_TRACKING:
        return [Finding("MLflow", "not checked", "say tracking.uri=… to speak with it from every machine")]
    try:
        address = tracking_uri(asked)
    except UserError as error:
        return [Finding("MLflow", "wrong", str(error), "correct tracking.uri")]
    return check_tracking(nodes, address, config.limit_s)


def _unheard(mute: dict[str, str]) -> list[Finding]:
    other = {name: text for name, text in mute.items() if text.startswith(IMPORT_ERRORS)}
    silent = {name: text for name, text in mute.items() if name not in other}
    return [*failures("answer", silent, _MEND_SILENT), *failures("answer", other, _MEND_CODE)]
