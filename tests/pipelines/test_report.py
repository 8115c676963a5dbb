"""The report: one file that says what the summary says, whatever the videos are called."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from liax.sample import SampleInfo
from pipelines.outcomes import KEPT, Outcome
from pipelines.previews import preview
from pipelines.quality import QualityConfig
from pipelines.report import write_report
from pipelines.run import Run
from pipelines.summary import Summary, count
from tests.samples import make_sample

HOSTILE = "<script>alert(1)<b> & '\".mp4"


def clip(key: str, person: str | None, yaw_deg: float, sharpness: float) -> SampleInfo:
    scores = {"face_px": 100.0, "yaw_mean_deg": yaw_deg, "pitch_mean_deg": 5.0, "sharpness": sharpness}
    return make_sample(key, frames=25).info.model_copy(update={"scores": scores, "identity": person})


def outcome(source: str, stage: str, reason: str, **more: object) -> Outcome:
    return Outcome.model_validate(
        {"source_uri": f"/videos/{source}", "source_sha256": source, "stage": stage, "reason": reason, **more}
    )


CLIPS = [clip("a-0", "p1", 12.0, 0.5), clip("b-0", "p1", -95.0, 0.7), clip("c-0", "p2", 14.0, 0.9)]
BLURRED = clip("d-0", None, 0.0, 0.1)
OUTCOMES = [
    outcome("a.mp4", "clips", KEPT, segment=0, track=0, start_s=0.0, key="a-0", preview="a-0"),
    outcome(HOSTILE, "clips", KEPT, segment=0, track=0, start_s=0.0, key="b-0", preview="b-0"),
    outcome("c.mp4", "clips", KEPT, segment=1, track=0, start_s=0.0, key="c-0"),
    outcome("c.mp4", "faces", "no_face", segment=0, preview="c-no_face", attempts=2),
    outcome("d.mp4", "quality", "blurred", segment=0, track=0, key="d-0", detail="sharpness 0.1; the least is 0.2"),
    outcome("d.mp4", "near_duplicates", "near_duplicate", segment=0, track=1, key="d-1", detail="shows what a-0 does"),
    outcome("d.mp4", "shots", "black", segment=0, start_s=3.0),
    outcome("e.mp4", "probe", "unreadable", detail="<b>bold</b>"),
]


@pytest.fixture(scope="module")
def summary() -> Summary:
    return count(
        sources=5,
        source_hours=1.0,
        segments=5,
        clips=CLIPS,
        left_out=[BLURRED],
        outcomes=OUTCOMES,
        shards=1,
        seconds={"faces": 10.0},
        quality=QualityConfig(least_sharpness=0.2),
    )


@pytest.fixture(scope="module")
def page(summary: Summary, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("run")
    run = Run(str(folder), "0" * 12)
    picture = np.full((90, 160, 3), 128, dtype=np.uint8)
    for name in ("a-0", "b-0", "c-no_face"):
        file = Path(run.preview(name))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(preview(picture, (10, 10, 60, 60), None))
    write_report(run, summary, OUTCOMES, CLIPS)
    assert (folder / "contact_sheet.png").stat().st_size > 1000
    return (folder / "report.html").read_text()


class Tags(HTMLParser):
    """Collects the tags and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "action", "data")]


def test_it_needs_no_other_file_and_runs_nothing(page: str) -> None:
    found = Tags(page)
    assert found.addresses
    assert all(address.startswith("data:image/jpeg;base64,") for address in found.addresses)
    assert not {"script", "link", "iframe", "b>bold"} & set(found.tags)
    assert "&lt;script&gt;" in page
    assert "&lt;b&gt;bold" in page


def test_it_shows_what_happened(page: str) -> None:
    assert "5 videos → 3 clips" in page
    for words in ("no face", "blurred", "near duplicate", "unreadable", "black", "least_sharpness 0.2"):
        assert words in page, words
    assert "2 videos</span>" in page, "a person in two videos is shown"
    assert re.search(r"Near duplicates <span class=muted>\(1 of 1\)", page)
    assert "Rows that needed more than one attempt: 1" in page


def test_the_numbers(summary: Summary) -> None:
    assert summary.sources_by_result == {KEPT: 3, "blurred": 1, "unreadable": 1}
    assert summary.people == 2
    assert summary.clips_per_person == {"1": 1, "2": 1}
    assert summary.spans == {"black": 1}
    sharpness = summary.scores["sharpness"]
    assert (sum(sharpness.kept), sum(sharpness.left_out), sharpness.limits) == (3, 1, {"least_sharpness": 0.2})
    assert sharpness.median == 0.7
    assert sharpness.left_out[0] == 1
    assert summary.scores["face_px"].kept.count(0) == len(summary.scores["face_px"].kept) - 1
    yaw, pitch = summary.poses.yaw_edges_deg.index(10), summary.poses.pitch_edges_deg.index(0)
    assert summary.poses.seconds[pitch][yaw] == 2.0
    assert summary.poses.seconds[pitch][0] == 1.0, "beyond the map's edge counts at the edge"
    assert sum(map(sum, summary.poses.seconds)) == 3.0
    numbers = summary.numbers()
    assert numbers["clips"] == 3
    assert numbers["funnel/clips/quality/blurred"] == 1
    assert numbers["splits/train/people"] == 2
    assert Summary.model_validate_json(summary.model_dump_json()) == summary


def test_a_run_without_any_clip(tmp_path: Path) -> None:
    rows = [outcome("e.mp4", "probe", "unreadable")]
    empty = count(
        sources=1,
        source_hours=0.0,
        segments=0,
        clips=[],
        left_out=[],
        outcomes=rows,
        shards=0,
        seconds={},
        quality=QualityConfig(),
    )
    write_report(Run(str(tmp_path), "0" * 12), empty, rows, [])
    assert "1 videos → 0 clips" in (tmp_path / "report.html").read_text()
