"""Who keeps a group of workers from adding up."""

from collections.abc import Sequence

import pytest

from liax.doctor.collective import STAGES, Sum, Worker, check_collective, judge_collective
from liax.doctor.findings import Finding
from tests.liax.doctor.made_up import a_node

FAST = Sum(True, 90e9)
LATE = "no answer within 180 s"


def judged(workers: Sequence[Worker], *, on_gpu: bool = True) -> list[Finding]:
    return judge_collective(workers, on_gpu=on_gpu)


def test_the_slowest_worker_is_the_speed() -> None:
    workers = [Worker(0, "a", "added", FAST), Worker(1, "b", "added", Sum(True, 40e9))]
    (found,) = judged(workers)
    assert (found.state, found.nodes) == ("ok", ("a", "b"))
    assert found.seen == "2 workers add up right by NCCL, at 40.00 GB/s (bus bandwidth)"


def test_a_slow_network_between_gpu_machines_is_a_warning() -> None:
    slow = Sum(True, 0.1e9)
    (found,) = judged([Worker(0, "a", "added", slow), Worker(1, "b", "added", slow)])
    assert found.state == "warning"
    assert "NCCL_SOCKET_IFNAME" in found.mend
    (found,) = judged([Worker(0, "a", "added", slow), Worker(1, "b", "added", slow)], on_gpu=False)
    assert found.state == "ok"


def test_a_wrong_sum_names_the_machines() -> None:
    (found,) = judged([Worker(0, "a", "added", FAST), Worker(1, "b", "added", Sum(False, 90e9))])
    assert (found.state, found.nodes) == ("wrong", ("b",))


@pytest.mark.parametrize(
    ("reached", "seen", "mend"),
    [
        ("", "its workers did not start", "ray status"),
        ("started", "do not reach the process", "network"),
        ("met", "did not join the others by NCCL", "NCCL_SOCKET_IFNAME"),
        ("joined", "the sum by NCCL did not come", "NCCL_DEBUG"),
    ],
)
def test_the_node_that_is_behind_is_named(reached: str, seen: str, mend: str) -> None:
    ahead = STAGES[STAGES.index(reached) + 1] if reached else STAGES[0]
    workers = [Worker(0, "a", ahead, None, LATE), Worker(1, "b", reached, None, LATE)]
    (found,) = judged(workers)
    assert (found.state, found.nodes) == ("wrong", ("b",))
    assert seen in found.seen
    assert mend in found.mend


def test_of_workers_that_came_equally_far_the_first_to_fail_is_named() -> None:
    workers = [
        Worker(0, "a", "met", None, "Connection closed by peer", 2),
        Worker(1, "b", "met", None, "CUDA error: out of memory", 1),
        Worker(2, "c", "met", None, LATE),
    ]
    (found,) = judged(workers)
    assert found.nodes == ("b",)
    assert "out of memory" in found.seen


def test_where_all_wait_for_each_other_all_are_named() -> None:
    found = judged([Worker(0, "a", "met", None, LATE), Worker(1, "b", "met", None, LATE)])
    assert [one.nodes for one in found] == [("a",), ("b",)]


def test_where_no_gpus_work_nothing_is_tried() -> None:
    (found,) = check_collective([], limit_s=1.0)
    assert (found.state, found.seen) == ("not checked", "no machine's GPUs work: mend those first")


def test_one_machine_without_gpus_has_nobody_to_add_up_with() -> None:
    (found,) = check_collective([a_node("head", gpus=0, cpus=0.0), a_node("a", gpus=0)], limit_s=1.0)
    assert found.state == "not checked"
