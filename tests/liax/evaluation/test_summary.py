"""Means, intervals, gains and comparisons of records whose numbers are known."""

from pathlib import Path

import numpy as np
import pytest

from liax.evaluation.definitions import BY_NAME, definitions_id
from liax.evaluation.records import TrialRecord, Work, write_record
from liax.evaluation.run import extremes
from liax.evaluation.subject import Subject
from liax.evaluation.summary import Summary, compare, estimate, gain_of, summarise
from liax.evaluation.tables import clip_rows, markdown
from tests.liax.evaluation.evaluated import configure


def record(name: str, l1: float | None, copy_l1: float = 0.1, reason: str = "") -> TrialRecord:
    values = {"model": {} if l1 is None else {"l1": l1, "psnr": -l1}, "copy": {"l1": copy_l1, "psnr": -copy_l1}}
    missing = {"model": {"akd": "no face found in the driving clip"}}
    return TrialRecord(
        protocol="self",
        source=name,
        driving=name,
        source_name=name,
        driving_name=name,
        video_sha256=name[0],
        frames=10,
        values={} if reason else values,
        missing={} if reason else missing,
        reason=reason,
    )


RECORDS = [record("a1", 0.02), record("a2", 0.04), record("b1", 0.06), record("c1", None)]


def test_a_mean_is_over_the_clips_that_have_a_value() -> None:
    found = estimate(RECORDS, BY_NAME["l1"], "model")
    assert found is not None
    assert (found.mean, found.clips) == (pytest.approx(0.04), 3)
    assert found.low is not None
    assert found.high is not None
    assert 0.03 - 1e-9 <= found.low < found.high <= 0.06 + 1e-9  # whole videos are drawn: a alone has 0.03
    assert estimate(RECORDS, BY_NAME["akd"], "model") is None


@pytest.mark.parametrize("metric", ["l1", "psnr"])
def test_a_gain_is_positive_where_the_model_is_better(metric: str) -> None:
    found = gain_of(RECORDS, BY_NAME[metric])
    assert found is not None
    assert found.mean == pytest.approx(0.06)
    assert found.clips == 3


def test_models_are_compared_on_the_clips_that_both_were_measured_on() -> None:
    others = [record("a1", 0.05), record("b1", 0.07), record("z1", 0.9)]
    found = compare(RECORDS, others, "l1")
    assert found is not None
    assert (found.mean, found.clips) == (pytest.approx(0.02), 2)
    assert compare(RECORDS, others, "l1", "cross") is None
    assert compare(RECORDS, [], "l1") is None


def make_work(output: Path, networks: tuple[tuple[str, str], ...] = ()) -> Work:
    subject = Subject(given="runs/tiny", url="/runs/tiny", sha256="0" * 64, size_px=64)
    return Work(str(output), subject, configure("runs/tiny", "shards", output), networks)


def summary_of(work: Work, records: list[TrialRecord], unavailable: dict[str, str]) -> Summary:
    return summarise(work, {one.driving: one for one in records}, {"set": "s"}, "not known", unavailable)


def test_what_could_not_be_measured_is_said_and_never_a_number(tmp_path: Path) -> None:
    records = [*RECORDS, record("d1", None, reason="unreadable")]
    summary = summary_of(make_work(tmp_path), records, {"fid": "no weights", "lpips": "no weights"})
    found = summary.results["self"]
    assert found.left_out == {"unreadable": 1}
    assert (found.clips, found.videos, found.frames) == (4, 3, 40)
    assert found.unavailable["fid"] == "no weights"
    assert found.unavailable["akd"] == "no face found in the driving clip"
    assert "fid" not in found.contestants["model"]
    text = markdown(summary)
    assert "| FID ↓ | unavailable: no weights | | | 0 |" in text
    assert "| L1 ↓ | 0.0400 (" in text
    assert "1 left out: unreadable" in text
    assert definitions_id() in text
    assert all(np.isfinite(value) for value in summary.numbers().values())
    assert Summary.model_validate_json(summary.model_dump_json()) == summary


def test_fid_is_of_all_clips_together(tmp_path: Path) -> None:
    work = make_work(tmp_path, (("fid", "drawn"),))
    random = np.random.default_rng(0)
    for one in RECORDS[:3]:
        driving = random.normal(size=(200, 4)).astype(np.float32)
        features = {"driving": driving, "model": driving + np.float32(0.5), "copy": driving + np.float32(1)}
        write_record(work, one.driving, one, features)
    summary = summary_of(work, RECORDS[:3], {})
    fid = {name: values["fid"] for name, values in summary.results["self"].contestants.items()}
    assert fid["model"].mean == pytest.approx(4 * 0.25, rel=0.01)
    assert fid["copy"].mean == pytest.approx(4, rel=0.01)
    assert (fid["model"].low, fid["model"].clips) == (None, 3)
    assert "fid" not in summary.results["self"].gain


def test_a_row_has_every_column_and_says_what_is_missing() -> None:
    rows = clip_rows({one.driving: one for one in RECORDS})
    assert len({tuple(row) for row in rows}) == 1
    assert rows[0]["model_l1"] == 0.02
    assert rows[0]["copy_akd"] is None
    assert rows[0]["missing"] == "model_akd: no face found in the driving clip"


def test_worst_and_best_are_told_apart_by_the_measures_direction() -> None:
    records = {one.driving: one for one in RECORDS}
    expected = [("worst_1", "b1"), ("best_1", "a1")]
    assert extremes(records, "self", "l1", 1) == expected
    assert extremes(records, "self", "psnr", 1) == expected
    assert [trial for _, trial in extremes(records, "self", "l1", 2)] == ["b1", "a2", "a1"]  # each once
    assert extremes(records, "self", "l1", 0) == []
    assert extremes(records, "cross", "l1", 1) == []
