"""GPUs of machines that there are none of here."""

from typing import Any

import pytest

from liax.doctor.findings import Finding, worst
from liax.doctor.gpus import Gpus, judge_gpus, look_at_gpus
from tests.liax.doctor.made_up import a_node

HEAD = a_node("head", cpus=0.0, gpus=0)
NONE = Gpus("", 0, "", "", ())


def gpus(**changes: Any) -> Gpus:
    values: dict[str, Any] = {
        "driver": "570.86", "installed": 8, "cuda": "12.8", "nccl": "2.27.5", "names": ("NVIDIA H100",) * 8,
    }  # fmt: skip
    return Gpus(**values | changes)


def judged(found: Gpus, count: int = 8) -> Finding:
    return max(judge_gpus({HEAD: NONE, a_node("a", gpus=count): found}), key=lambda one: one.state == "wrong")


def test_equal_machines_are_told_in_two_lines() -> None:
    kinds, software = judge_gpus({HEAD: NONE, a_node("a"): gpus()})
    assert (kinds.state, kinds.seen, kinds.nodes) == ("ok", "8 × NVIDIA H100", ("a",))
    assert software.seen == "driver 570.86, CUDA 12.8, NCCL 2.27.5"


@pytest.mark.parametrize(
    ("found", "mend"),
    [
        (gpus(names=(), cuda="", nccl=""), "liax:cuda"),
        (gpus(names=(), installed=0, driver=""), "--gpus all"),
        (gpus(names=()), "driver 570.86 may be too old"),
        (gpus(failures=("GPU 3: CUDA error: uncorrectable ECC error",)), "Xid"),
    ],
)
def test_gpus_that_pytorch_cannot_use_are_wrong_with_the_likely_reason(found: Gpus, mend: str) -> None:
    wrong = judged(found)
    assert (wrong.state, wrong.nodes) == ("wrong", ("a",))
    assert mend in wrong.mend


def test_gpus_that_ray_does_not_give_away_are_a_warning() -> None:
    (found,) = judge_gpus({a_node("a", gpus=0): gpus()})
    assert (found.state, found.mend) == ("warning", "start Ray there with --num-gpus=8")


def test_another_driver_is_a_warning_and_another_nccl_wrong() -> None:
    nodes = [a_node(name) for name in "abc"]
    other_driver = judge_gpus(dict(zip(nodes, [gpus(), gpus(), gpus(driver="550.1")], strict=True)))
    assert [(one.state, one.nodes) for one in other_driver if one.state != "ok"] == [("warning", ("c",))]
    other_nccl = judge_gpus(dict(zip(nodes, [gpus(nccl="2.21.5"), gpus(), gpus()], strict=True)))
    assert [(one.state, one.nodes) for one in other_nccl if one.state != "ok"] == [("wrong", ("a",))]


def test_where_there_are_none_nothing_is_checked() -> None:
    found = judge_gpus({HEAD: NONE})
    assert worst(found) == "not checked"


def test_this_machine_answers() -> None:
    found = look_at_gpus()
    assert len(found.names) <= max(found.installed, len(found.names))
    assert found.failures == ()
