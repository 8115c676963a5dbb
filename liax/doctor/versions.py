"""Whether all nodes have the same software. Also for a worker that starts: is it what the others are?"""

import hashlib
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from liax import __version__
from liax.doctor.findings import Finding
from liax.doctor.nodes import LOST, NO_ANSWER, ask, living
from liax.errors import UserError

PACKAGES = (
    "ray", "torch", "deepspeed", "numpy", "mlflow", "mediapipe", "webdataset", "av", "opencv-contrib-python-headless",
    "scenedetect-headless", "dlib-bin", "imageio-ffmpeg", "pyarrow", "safetensors", "boto3", "pydantic",
)  # fmt: skip
"""What decides how nodes talk with each other, what a step computes, or which bytes a shard has."""
TRAINING = ("python", "liax", "ray", "torch", "deepspeed", "numpy", "av")
"""What all workers of a training must agree in: the others do not touch a step."""
CODE = "liax's code"
NONE = "none"
CHECK = "versions"
_FOLDERS = ("liax", "pipelines", "jobs")
_MEND_CODE = (
    "give every node the same code: ray job submit --working-dir . hands it on with the job; else install the same "
    "commit on all"
)
_MEND_PACKAGES = "make that machine anew, from the image of the others or uv.lock (infra/setup.sh), and let it join"


def versions_here() -> dict[str, str]:
    """This process's versions by name: Python, the packages, and a number made from the code of liax itself."""
    return {**versions_of(("python", "liax", *PACKAGES)), CODE: _code_number()}


def versions_of(names: Sequence[str]) -> dict[str, str]:
    """This process's versions of Python, liax and packages, by name."""
    own = {"python": platform.python_version(), "liax": __version__}
    return {name: own.get(name) or _version(name) for name in names}


def differences(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """What differs, in words. Builds of one version for CPU and for CUDA (`2.13.0+cpu`) count as the same."""
    return [
        f"{name} {found.get(name, NONE)} instead of {wanted[name]}"
        for name in wanted
        if found.get(name, NONE).partition("+")[0] != wanted[name].partition("+")[0]
    ]


def require_same(wanted: Mapping[str, str], node: str) -> None:
    """Raise UserError if this process has other versions than those that a job was started with.

    Args:
        wanted: `versions_of(…)` in the process that started the job.
        node: name of this machine.
    """
    found = differences(versions_of(tuple(wanted)), wanted)
    if found:
        raise _other_versions(node, found)


def require_equal(names: Sequence[str], limit_s: float = 60.0) -> None:
    """Ask all nodes for their versions before a job begins. Ray must be running.

    Args:
        names: what they must agree in.
        limit_s: how long is waited. Our choice, because a process starts within seconds; who does not answer, or is
            lost meanwhile, is left to Ray, which gives it no work either.

    Raises:
        UserError: a node has another version than this process, or cannot load liax.
    """
    import ray

    nodes = living(ray.nodes())
    if len(nodes) < 2:
        return
    told, failed = ask({node: (tuple(names),) for node in nodes}, versions_of, limit_s)
    wanted = versions_of(names)
    for node, found in told.items():
        if other := differences(found, wanted):
            raise _other_versions(node, other)
    for node, failure in failed.items():
        if not failure.startswith((NO_ANSWER, LOST)):
            raise UserError(f"node {node} cannot take part: {failure}; see `liax doctor`")


def judge_versions(versions: Mapping[str, Mapping[str, str]], here: Mapping[str, str]) -> list[Finding]:
    """Compare every node with what most have; where as many have one as another, with this process.

    Args:
        versions: by node.
        here: of this process.
    """
    usual = {name: _usual([found.get(name, NONE) for found in versions.values()], here[name]) for name in here}
    findings, same = [], []
    for node, found in versions.items():
        other = differences(found, usual)
        if other:
            mend = _MEND_CODE if all(text.startswith(CODE) for text in other) else _MEND_PACKAGES
            findings.append(Finding(CHECK, "wrong", ", ".join(other), mend, (node,)))
        else:
            same.append(node)
    shown = ", ".join(f"{name} {usual[name]}" for name in ("python", "ray", "torch", "mlflow", "liax", CODE))
    return [*findings, *([Finding(CHECK, "ok", shown, nodes=tuple(same))] if same else [])]


def _other_versions(node: str, found: Sequence[str]) -> UserError:
    return UserError(
        f"node {node} has other versions than the start of this job: {', '.join(found)}; take it out of the cluster or "
        "make it anew like the others, and see `liax doctor`"
    )


def _usual(values: list[str], here: str) -> str:
    public = Counter(value.partition("+")[0] for value in values)
    most = max(public.values(), default=0)
    own = here.partition("+")[0]
    wanted = own if public[own] == most else public.most_common(1)[0][0]
    return wanted if own != wanted else here


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return NONE


def _code_number() -> str:
    """Eight hexadecimal digits from all source files, since the version's number stays the same between commits."""
    root, digest = Path(__file__).parents[2], hashlib.sha256()
    for folder in _FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:8]
