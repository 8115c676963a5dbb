"""The storage of a job, as a node sees it."""

from pathlib import Path

import pytest

from liax import storage
from liax.doctor.stores import Rate, check_output, judge_storage, read, write_and_read
from tests.answering_s3 import answering
from tests.liax.doctor.made_up import a_node

SIZE = 1000


def a_mark(url: str) -> str:
    mark_file = storage.join(url, "mark")
    storage.write_bytes(mark_file, b"mark")
    return mark_file


def test_a_node_writes_reads_and_leaves_nothing(tmp_path: Path) -> None:
    mark_file = a_mark(str(tmp_path))
    found = write_and_read(str(tmp_path), mark_file, b"mark", str(tmp_path / "node"), SIZE)
    assert isinstance(found, Rate)
    assert found.size_bytes == SIZE
    assert [path.name for path in tmp_path.iterdir()] == ["mark"]


@pytest.mark.server
def test_the_same_on_s3(s3_bucket: str) -> None:
    url = f"{s3_bucket}/doctor"
    found = write_and_read(url, a_mark(url), b"mark", f"{url}/node", SIZE)
    assert isinstance(found, Rate)
    assert storage.list_files(url) == [f"{url}/mark"]
    assert isinstance(read(f"{url}/mark", 4), Rate)


def test_another_folder_of_the_same_name_is_told(tmp_path: Path) -> None:
    url = str(tmp_path)
    found = write_and_read(url, str(tmp_path / "mark"), b"mark", str(tmp_path / "node"), SIZE)
    assert found == f"{url} is not the same folder there as on this machine"
    (wrong,) = judge_storage("output", url, {"a": found}, {})
    assert (wrong.state, wrong.nodes) == ("wrong", ("a",))
    assert "s3://" in wrong.mend


def test_refused_credentials_are_one_line_without_the_names_of_our_own_files() -> None:
    with answering({"HEAD": [403], "PUT": [403], "GET": [403]}):
        found = write_and_read("s3://bucket/runs", "s3://bucket/runs/x/mark", b"mark", "s3://bucket/runs/x/a", SIZE)
        (wrong,) = check_output([], "s3://bucket/runs", SIZE, limit_s=1.0)
    assert isinstance(found, str)
    assert found.startswith("S3 refused s3://bucket/runs: ")
    assert "/x/" not in found
    assert "\n" not in found
    assert wrong.state == "wrong"
    assert "role" in wrong.mend


def test_a_misspelt_folder_is_told_and_not_made(tmp_path: Path) -> None:
    (wrong,) = check_output([a_node("a")], str(tmp_path / "none"), SIZE, limit_s=1.0)
    assert wrong.state == "wrong"
    assert "no such file or folder" in wrong.seen
    assert list(tmp_path.iterdir()) == []


def test_a_node_that_is_slower_than_the_others_is_told() -> None:
    told: dict[str, Rate | str] = {name: Rate(10**8, 1.0, 0.5) for name in "abc"}
    slow, ok = judge_storage("output", "s3://b", told | {"d": Rate(10**8, 1.2, 5.0)}, {})
    assert (slow.state, slow.nodes) == ("warning", ("d",))
    assert slow.seen == "slower than the others: writes 83 MB/s, reads 20 MB/s"
    assert ok.seen == "s3://b: writes 100 MB/s, reads 200 MB/s"


def test_a_stuck_node_and_one_that_failed_are_told_beside_the_others() -> None:
    found = judge_storage(
        "shards", "s3://b", {"a": Rate(10, None, 1.0), "b": "S3 failed"}, {"c": "no answer within 9 s"}
    )
    assert [(one.state, one.nodes) for one in found] == [("wrong", ("c",)), ("wrong", ("b",)), ("ok", ("a",))]
    assert found[-1].seen == "s3://b: reads 0.0 MB/s"
