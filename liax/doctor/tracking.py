"""Whether MLflow is reached from where a job is started, and from every machine, and takes files."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from liax.doctor.findings import Finding, failures
from liax.doctor.nodes import Node, ask
from liax.errors import UserError
from liax.tracking.address import without_password

CHECK = "MLflow"
EXPERIMENT = "liax-doctor"
"""Where the run is made, and removed again, by which it is tried."""
_FILE = "doctor.txt"
_CONTENT = "left by `liax doctor`"
_MEND = (
    "start it (infra/README.md, MLflow), let the machines reach its port, or give another tracking.uri; a training "
    "without it has tracking.uri=none, and `liax track` ships its numbers later"
)
_MEND_NODES = "let that machine reach the address and port; it is no loopback address and no name of the head's own"


def check_tracking(nodes: Sequence[Node], uri: str, limit_s: float) -> list[Finding]:
    """Speak with MLflow from here, store a file in it, and let every node speak with it.

    Args:
        nodes: all of them.
        uri: MLflow's address.
        limit_s: how long a node may take.
    """
    try:
        try_upload(uri)
    except UserError as error:
        return [Finding(CHECK, "wrong", f"from this machine: {error}", _MEND)]
    findings = [Finding(CHECK, "ok", f"from this machine: {without_password(uri)} answers, and stores files")]
    if not uri.startswith("http"):
        seen = "the other machines: it is a database, which only the one that starts a job speaks with"
        return [*findings, Finding(CHECK, "not checked", seen)]
    told, lost = ask(dict.fromkeys(nodes, (uri,)), reach, limit_s)
    silent = {node: failure for node, failure in told.items() if failure}
    heard = tuple(node for node, failure in told.items() if not failure)
    findings += failures(CHECK, {**silent, **lost}, _MEND_NODES)
    return findings if not heard else [*findings, Finding(CHECK, "ok", "it answers", nodes=heard)]


def reach(uri: str) -> str:
    """Speak with MLflow from this node. Returns why it cannot be, or nothing."""
    from liax.tracking.client import connect

    try:
        connect(uri)
    except UserError as error:
        return str(error)
    return ""


def try_upload(uri: str) -> None:
    """Make a run, store a file and read it back, and remove the run.

    Raises:
        UserError: nothing answers there, or it does not keep files.
    """
    from liax.tracking.client import connect, experiment_id, failure_of

    client = connect(uri)

    def upload() -> None:
        run = client.create_run(experiment_id(client, uri, EXPERIMENT))
        try:
            client.log_text(run.info.run_id, _CONTENT, _FILE)
            with tempfile.TemporaryDirectory(prefix="liax-") as folder:
                fetched = client.download_artifacts(run.info.run_id, _FILE, folder)
                if Path(fetched).read_text() != _CONTENT:
                    raise OSError("it gave back another file than was stored")
        finally:
            client.delete_run(run.info.run_id)

    failure = failure_of(upload)
    if failure is not None:
        raise UserError(
            f"MLflow at {without_password(uri)} does not keep files: {failure}; see where it stores its artifacts"
        )
