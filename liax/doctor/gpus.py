"""Whether each machine's GPUs are there for Ray and for PyTorch alike, work, and have one driver everywhere."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from liax.doctor.findings import Finding
from liax.doctor.nodes import Node

CHECK = "GPUs"
_ANSWER_WITHIN_S = 30.0
"""Of nvidia-smi. Our choice, because it takes a second, and ten where no process keeps the driver loaded."""


@dataclass(frozen=True, slots=True)
class Gpus:
    """What a node has.

    Args:
        driver: version of NVIDIA's driver; empty if there is none.
        installed: how many GPUs the driver lists.
        cuda: the CUDA that PyTorch was built with; empty for a CPU build.
        nccl: version of the NCCL that PyTorch was built with; empty for none.
        names: of the GPUs that PyTorch can use.
        failures: what went wrong on a GPU that was to compute something.
    """

    driver: str
    installed: int
    cuda: str
    nccl: str
    names: tuple[str, ...]
    failures: tuple[str, ...] = ()


def look_at_gpus() -> Gpus:
    """Look at this machine's GPUs, and let each compute something. Run where all of them are visible."""
    import torch

    listed = _nvidia_smi()
    names, failures = [], []
    for index in range(torch.cuda.device_count()):
        try:
            names.append(torch.cuda.get_device_name(index))
            ones_NN = torch.ones(256, 256, device=f"cuda:{index}")
            if float((ones_NN @ ones_NN).sum()) != 256.0**3:
                failures.append(f"GPU {index} computes wrong")
        except RuntimeError as error:  # torch's own errors of CUDA are such
            failures.append(f"GPU {index}: {str(error).splitlines()[0]}")
    has_nccl = torch.version.cuda is not None and torch.distributed.is_nccl_available()
    return Gpus(
        driver=listed[0] if listed else "",
        installed=len(listed),
        cuda=torch.version.cuda or "",
        nccl=".".join(str(part) for part in torch.cuda.nccl.version()) if has_nccl else "",
        names=tuple(names),
        failures=tuple(failures),
    )


def judge_gpus(gpus: Mapping[Node, Gpus]) -> list[Finding]:
    """Judge what the nodes have said.

    Args:
        gpus: by node, of all nodes.
    """
    findings = [finding for node, found in gpus.items() for finding in _judge_node(node, found)]
    computing = {node.name: found for node, found in gpus.items() if node.gpus and found.names}
    kinds: dict[tuple[str, str, str], list[str]] = {}
    for name, found in computing.items():
        kinds.setdefault((found.driver, found.cuda, found.nccl), []).append(name)
    usual = Counter((found.driver, found.cuda, found.nccl) for found in computing.values()).most_common(1)
    for kind, names in kinds.items():
        driver, cuda, nccl = kind
        seen = f"driver {driver or 'unknown'}, CUDA {cuda}, NCCL {nccl}"
        if kind == usual[0][0]:
            findings.append(Finding("GPU software", "ok", seen, nodes=tuple(names)))
        elif kind[1:] != usual[0][0][1:]:  # one NCCL does not understand another
            mend = "use one image on all GPU machines"
            findings.append(Finding("GPU software", "wrong", f"{seen}, unlike the others", mend, tuple(names)))
        else:
            mend = "let all GPU machines have one driver"
            findings.append(Finding("GPU software", "warning", f"{seen}, unlike the others", mend, tuple(names)))
    if not any(node.gpus or found.installed for node, found in gpus.items()):
        findings.append(Finding(CHECK, "not checked", "no machine has one"))
    return findings


def _judge_node(node: Node, found: Gpus) -> list[Finding]:
    names = (node.name,)
    if not node.gpus:
        if not found.installed:
            return []
        seen = f"Ray gives none away, and the driver lists {found.installed}"
        return [Finding(CHECK, "warning", seen, f"start Ray there with --num-gpus={found.installed}", names)]
    if found.failures:
        mend = "see nvidia-smi and `dmesg | grep Xid` there; take the machine out if it repeats"
        return [Finding(CHECK, "wrong", failure, mend, names) for failure in found.failures]
    if len(found.names) < node.gpus:
        seen = f"Ray gives away {node.gpus}, and PyTorch finds {len(found.names)}"
        return [Finding(CHECK, "wrong", seen, _mend_invisible(node, found), names)]
    kinds = ", ".join(f"{count} × {name}" for name, count in Counter(found.names).items())
    return [Finding(CHECK, "ok", kinds, nodes=names)]


def _mend_invisible(node: Node, found: Gpus) -> str:
    if not found.cuda:
        return "PyTorch there is a CPU build: use the liax:cuda image, or install torch from PyPI"
    if found.installed < node.gpus:
        return "start the container with --gpus all, or `ray start` with --num-gpus as nvidia-smi has it"
    return f"driver {found.driver} may be too old for PyTorch's CUDA {found.cuda}: update it, or see infra/Dockerfile"


def _nvidia_smi() -> list[str]:
    """The driver's version, once for each GPU that it lists; nothing without a driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    words = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_ANSWER_WITHIN_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.split()
