"""Which nodes are not like the others."""

from contextlib import nullcontext
from importlib.metadata import version

import pytest

from liax.doctor import versions as doctor_versions
from liax.doctor.nodes import LOST, NO_ANSWER
from liax.doctor.versions import CODE, differences, judge_versions, require_same, versions_here, versions_of
from liax.errors import UserError

USUAL = {"python": "3.11.9", "liax": "0.1.0", "ray": "2.60.0", "torch": "2.13.0", "mlflow": "3.17.2", CODE: "aaaa"}


def test_one_version_everywhere_is_told_in_a_line() -> None:
    (found,) = judge_versions({"a": USUAL, "b": USUAL}, USUAL)
    assert (found.state, found.nodes) == ("ok", ("a", "b"))
    assert "ray 2.60.0" in found.seen


def test_the_few_are_wrong_and_not_the_many() -> None:
    odd = USUAL | {"torch": "2.12.0", "mlflow": "none"}
    wrong, ok = judge_versions({"a": odd, "b": USUAL, "c": USUAL}, odd)
    assert (wrong.state, wrong.nodes) == ("wrong", ("a",))
    assert wrong.seen == "torch 2.12.0 instead of 2.13.0, mlflow none instead of 3.17.2"
    assert "uv.lock" in wrong.mend
    assert ok.nodes == ("b", "c")


def test_of_two_nodes_the_other_one_is_wrong() -> None:
    odd = USUAL | {"ray": "2.59.0"}
    for versions in ({"here": USUAL, "there": odd}, {"there": odd, "here": USUAL}):
        wrong, _ = judge_versions(versions, USUAL)
        assert wrong.nodes == ("there",)


def test_builds_for_cpu_and_cuda_are_one_version() -> None:
    head, gpu = USUAL | {"torch": "2.13.0+cpu"}, USUAL | {"torch": "2.13.0+cu128"}
    (found,) = judge_versions({"head": head, "gpu": gpu}, head)
    assert found.state == "ok"
    assert differences(gpu, head) == []


def test_other_code_of_the_same_version_is_found_and_handed_on_with_the_job() -> None:
    wrong, _ = judge_versions({"a": USUAL, "b": USUAL, "c": USUAL | {CODE: "bbbb"}}, USUAL)
    assert wrong.nodes == ("c",)
    assert "--working-dir" in wrong.mend


def test_this_process_says_what_is_installed() -> None:
    here = versions_here()
    assert here["ray"] == version("ray")
    assert len(here[CODE]) == 8
    assert versions_of(["no-such-package"]) == {"no-such-package": "none"}


def test_a_worker_with_another_version_gives_one_clear_line() -> None:
    wanted = versions_of(["python", "liax", "torch"])
    require_same(wanted, "10.0.1.7")
    with pytest.raises(UserError) as error:
        require_same(wanted | {"torch": "1.0"}, "10.0.1.7")
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith("node 10.0.1.7 has other versions than the start of this job: torch ")
    assert "instead of 1.0" in line


@pytest.mark.parametrize(("failure", "refused"), [(LOST, False), (f"{NO_ANSWER} 60 s", False), ("no liax", True)])
def test_a_node_that_is_lost_meanwhile_stops_no_job(
    failure: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setattr(ray, "nodes", list)
    monkeypatch.setattr(doctor_versions, "living", lambda nodes: ["one", "other"])
    monkeypatch.setattr(doctor_versions, "ask", lambda *_: ({"one": versions_of(["python"])}, {"other": failure}))
    with pytest.raises(UserError, match="node other cannot take part") if refused else nullcontext():
        doctor_versions.require_equal(["python"])
