"""Whether every machine reads and writes the storage of a job, the same storage, and how fast."""

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from liax import storage
from liax.doctor.findings import Finding, failures
from liax.doctor.nodes import Node, ask
from liax.errors import LiaxError

MIB = 1024**2
SLOW_SHARE = 1 / 3
"""A machine that is slower than this share of the median is told. Our choice, because machines of one kind differ by
less, and a job waits for its slowest."""
_PREFIX = "liax-doctor-"
_MARK = "mark"


@dataclass(frozen=True, slots=True)
class Rate:
    """What a node did in how many seconds.

    Args:
        size_bytes: how much was written, and read.
        write_s: time to write it; None where it was only read.
        read_s: time to read it.
    """

    size_bytes: int
    write_s: float | None
    read_s: float


def check_output(nodes: Sequence[Node], url: str, size_bytes: int, limit_s: float) -> list[Finding]:
    """Let each node write a file there, read it back, and remove it; this process removes what a node left.

    Args:
        nodes: all of them.
        url: a folder that is there, or an S3 prefix.
        size_bytes: of the file.
        limit_s: how long a node may take.
    """
    check, folder = "output", storage.join(url, f"{_PREFIX}{uuid.uuid4().hex[:12]}")
    mark = uuid.uuid4().hex.encode()
    files = {node: storage.join(folder, node.name.replace("#", "-")) for node in nodes}
    mark_file = storage.join(folder, _MARK)
    try:
        if not storage.is_s3(url):
            storage.list_files(url)  # a misspelt folder shall be told, and not made
        storage.write_bytes(mark_file, mark)
    except LiaxError as error:
        text = str(error).replace(mark_file, url)
        return [Finding(check, "wrong", f"from this machine: {text}", _mend(text, url))]
    calls = {node: (url, mark_file, mark, file, size_bytes) for node, file in files.items()}
    try:
        told, lost = ask(calls, write_and_read, limit_s)
    finally:
        _clean(folder, [mark_file, *files.values()])
    return judge_storage(check, url, told, lost)


def check_reading(check: str, nodes: Sequence[Node], url: str, size_bytes: int, limit_s: float) -> list[Finding]:
    """Let each node read the beginning of the largest file there.

    Args:
        check: name of the setting.
        nodes: all of them.
        url: a folder or S3 prefix.
        size_bytes: how much is read at most.
        limit_s: how long a node may take.
    """
    try:
        files = storage.list_files(url)
        if not files:
            return [Finding(check, "wrong", f"nothing is in {url}", f"correct {check}=…")]
        # The first few: there may be half a million, and each costs a request.
        file = max(files[:16], key=storage.size)
        size = min(size_bytes, storage.size(file))
    except LiaxError as error:
        return [Finding(check, "wrong", f"from this machine: {error}", _mend(str(error), url))]
    told, lost = ask(dict.fromkeys(nodes, (file, size)), read, limit_s)
    return judge_storage(check, url, told, lost)


def write_and_read(url: str, mark_file: str, mark: bytes, file: str, size_bytes: int) -> Rate | str:
    """A node's part of `check_output`.

    Args:
        url: what the user has named.
        mark_file: what the starter has written, by which its storage is known.
        mark: its content.
        file: what this node is to write.
        size_bytes: how much.

    Returns:
        How long it took; or what went wrong, in one line that is the same on all nodes where the same did.
    """
    data = os.urandom(size_bytes)
    try:
        if not storage.exists(mark_file) or storage.read_bytes(mark_file) != mark:
            return f"{url} is not the same folder there as on this machine"
        began = time.perf_counter()
        storage.write_bytes(file, data)
        written = time.perf_counter()
        same = storage.read_bytes(file) == data
        done = time.perf_counter()
        storage.remove(file)
    except LiaxError as error:
        return str(error).replace(file, url).replace(mark_file, url)
    if not same:
        return f"{url} gave back other bytes than were written"
    return Rate(size_bytes, written - began, done - written)


def read(file: str, size_bytes: int) -> Rate | str:
    """A node's part of `check_reading`; what went wrong, in one line, where it does not read."""
    began = time.perf_counter()
    try:
        found = len(storage.read_bytes(file, 0, size_bytes))
    except LiaxError as error:
        return str(error)
    if found != size_bytes:
        return f"{file} is shorter there than on this machine"
    return Rate(size_bytes, None, time.perf_counter() - began)


def judge_storage(check: str, url: str, told: Mapping[str, Rate | str], lost: Mapping[str, str]) -> list[Finding]:
    """Judge what the nodes did.

    Args:
        check: name of the setting.
        url: the storage.
        told: how long it took, or what went wrong, by node.
        lost: what came instead of an answer, by node.
    """
    findings = failures(check, lost, "see whether that machine reaches the storage at all (its route, DNS, endpoint)")
    for node, text in told.items():
        if isinstance(text, str):
            findings.append(Finding(check, "wrong", text, _mend(text, url), (node,)))
    rates = {node: rate for node, rate in told.items() if isinstance(rate, Rate)}
    slow = _slow(rates)
    for node in slow:
        mend = "see what else that machine's network does; a route through a NAT, or an endpoint far away, is slow"
        findings.append(Finding(check, "warning", f"slower than the others: {_told([rates[node]])}", mend, (node,)))
    usual = {node: rate for node, rate in rates.items() if node not in slow}
    if usual:
        findings.append(Finding(check, "ok", f"{url}: {_told(list(usual.values()))}", nodes=tuple(usual)))
    return findings


def _slow(rates: Mapping[str, Rate]) -> list[str]:
    """The nodes that write or read at less than `SLOW_SHARE` of the median rate."""
    usual_write_s = median([rate.write_s or 0.0 for rate in rates.values()] or [0.0])
    usual_read_s = median([rate.read_s for rate in rates.values()] or [0.0])
    return [
        node
        for node, rate in rates.items()
        if (rate.write_s or 0.0) * SLOW_SHARE > usual_write_s or rate.read_s * SLOW_SHARE > usual_read_s
    ]


def _told(rates: Sequence[Rate]) -> str:
    """`writes 80-95 MB/s, reads 120-130 MB/s`, of each node while all the others did the same."""
    parts = []
    for verb, times in (("writes", [rate.write_s for rate in rates]), ("reads", [rate.read_s for rate in rates])):
        per_s = sorted(
            rate.size_bytes / 1e6 / taken_s for rate, taken_s in zip(rates, times, strict=True) if taken_s is not None
        )
        if per_s:
            ends = dict.fromkeys(f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}" for rate in (per_s[0], per_s[-1]))
            parts.append(f"{verb} {' to '.join(ends)} MB/s")
    return ", ".join(parts)


def _mend(text: str, url: str) -> str:
    if not storage.is_s3(url):
        return "use a folder that is there and that all machines share at the same path, or s3://"
    if "TooSkewed" in text:
        return "let that machine ask a time server"
    if "refused" in text or "credentials" in text:
        return (
            "give the machines a role or a secret that may read, write and remove there (infra/README.md); an S3 that "
            "is not AWS's also needs AWS_ENDPOINT_URL, on every machine"
        )
    return "see that S3 is there and reached from the machines: its endpoint (AWS_ENDPOINT_URL), route, DNS, region"


def _clean(folder: str, files: Sequence[str]) -> None:
    """Remove what is left; a storage that refuses has been told already."""
    try:
        storage.remove_many(files)
    except LiaxError:
        return
    if not storage.is_s3(folder):
        os.rmdir(folder)  # noqa: PTH106
