"""What a machine has too little of."""

import time
from typing import Any

import pytest

from liax.doctor.findings import Finding, worst
from liax.doctor.machine import GIB, judge_clocks, judge_machines, look
from liax.doctor.nodes import Node
from tests.liax.doctor.made_up import a_machine, a_node


def judged(check: str, node: Node | None = None, **changes: Any) -> Finding:
    """What is found by one check about a node of which one thing is not as usual."""
    found = judge_machines({node or a_node("a"): a_machine(**changes)}, asked_s=1000.0, answered_s=1001.0)
    (finding,) = [finding for finding in found if finding.check == check]
    return finding


def test_nothing_is_wrong_with_a_usual_machine() -> None:
    found = judge_machines({a_node("a"): a_machine(), a_node("b"): a_machine()}, asked_s=1000.0, answered_s=1001.0)
    assert worst(found) == "ok"
    assert {finding.check for finding in found} == {
        "shared memory", "disk", "open files", "clocks", "processors", "ffmpeg",
    }  # fmt: skip


def test_what_is_left_is_one_line_whatever_each_machine_has() -> None:
    nodes = {a_node("a"): a_machine(), a_node("b"): a_machine(free_bytes=90 * GIB, shared_bytes=9 * GIB)}
    found = {one.check: one for one in judge_machines(nodes, asked_s=1000.0, answered_s=1001.0)}
    assert found["disk"].seen == "at least 90.0 GiB free where Ray keeps its files"
    assert found["shared memory"].seen == "at least 8.0 GiB of /dev/shm beside Ray's object store"
    assert found["disk"].nodes == found["shared memory"].nodes == ("a", "b")


def test_the_64_megabytes_of_a_container_are_wrong() -> None:
    found = judged("shared memory", shared_bytes=64 * 1024**2)
    assert found.state == "wrong"
    assert "64 MiB" in found.seen
    assert "--shm-size=2g" in found.mend


@pytest.mark.parametrize(("gpus", "state"), [(8, "warning"), (0, "ok")])
def test_a_gpu_machine_needs_some_beside_the_object_store(gpus: int, state: str) -> None:
    found = judged("shared memory", a_node("a", gpus=gpus), shared_bytes=GIB + GIB // 2)
    assert found.state == state


def test_no_shared_memory_at_all() -> None:
    assert judged("shared memory", shared_bytes=None).state == "wrong"


@pytest.mark.parametrize(
    ("disk_gib", "free_gib", "state"),
    [(200, 9.5, "wrong"), (100, 9.5, "warning"), (100, 11, "ok"), (2000, 90, "wrong")],
)
def test_a_disk_is_full_as_ray_reckons_or_small(disk_gib: float, free_gib: float, state: str) -> None:
    assert judged("disk", disk_bytes=int(disk_gib * GIB), free_bytes=int(free_gib * GIB)).state == state


def test_the_usual_1024_open_files_are_few() -> None:
    assert judged("open files", open_files=1024).state == "warning"


@pytest.mark.parametrize(
    ("clock_s", "state", "text"),
    [
        (5000.0, "ok", "within"),
        (5009.9, "ok", "within"),  # the question took ten seconds, and it may have been then
        (5045.0, "warning", "35 s ahead of"),
        (4965.0, "warning", "35 s behind"),
        (5911.0, "wrong", "901 s ahead of"),
        (4000.0, "wrong", "1000 s behind"),
    ],
)
def test_a_clock_is_off_by_what_the_question_did_not_take(clock_s: float, state: str, text: str) -> None:
    (found,) = judge_clocks({"a": clock_s}, asked_s=5000.0, answered_s=5010.0)
    assert found.state == state
    assert text in found.seen


def test_processors_of_several_kinds_are_told_unless_it_is_the_heads() -> None:
    other = a_machine(processor="Other CPU (aarch64)")
    nodes = {a_node("a"): a_machine(), a_node("b"): other}
    assert worst(judge_machines(nodes, 1000.0, 1000.0)) == "warning"
    nodes = {a_node("a"): a_machine(), a_node("head", cpus=0.0): other}
    assert worst(judge_machines(nodes, 1000.0, 1000.0)) == "ok"


def test_an_ffmpeg_that_is_not_there_or_another_one_is_wrong() -> None:
    found = judged("ffmpeg", ffmpeg="", ffmpeg_failure="no ffmpeg: none in the package")
    assert (found.state, found.seen) == ("wrong", "no ffmpeg: none in the package")
    nodes = {a_node("a"): a_machine(), a_node("b"): a_machine(ffmpeg="6.1")}
    wrong = [one for one in judge_machines(nodes, 1000.0, 1000.0) if one.state == "wrong"]
    assert [(one.check, one.seen) for one in wrong] == [("ffmpeg", "7.0.2-static"), ("ffmpeg", "6.1")]


def test_this_machine_says_what_it_is(tmp_path: Any) -> None:
    found = look(str(tmp_path))
    assert found.free_bytes <= found.disk_bytes
    assert found.ffmpeg
    assert found.open_files > 0
    assert abs(found.clock_s - time.time()) < 600
