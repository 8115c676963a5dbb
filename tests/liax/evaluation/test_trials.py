"""Who drives whom: stable, never oneself, and as a file says."""

from pathlib import Path

import pytest

from liax.errors import UserError
from liax.evaluation.clips import Clip
from liax.evaluation.trials import draw_pairs, read_pairs


def make_clip(name: str, person: str) -> Clip:
    return Clip(id=name, name=f"{name}.mp4", person=person, video_sha256=name, url=f"/videos/{name}.mp4", sample=None)


CLIPS = [make_clip(f"c{number}", f"p{number // 2}") for number in range(12)]


def ids(pairs: list[tuple[Clip, Clip]]) -> set[tuple[str, str]]:
    return {(source.id, driving.id) for source, driving in pairs}


@pytest.mark.parametrize("count", [1, 3])
def test_every_clip_is_driving_other_people(count: int) -> None:
    pairs = draw_pairs(CLIPS, count)
    assert len(ids(pairs)) == count * len(CLIPS)
    for driving in CLIPS:
        people = [source.person for source, driven in pairs if driven is driving]
        assert len(set(people)) == count
        assert driving.person not in people


def test_a_draw_depends_on_nothing_but_the_clips() -> None:
    assert ids(draw_pairs(CLIPS[::-1], 2)) == ids(draw_pairs(CLIPS, 2))


def test_another_clip_changes_only_its_own_pairs() -> None:
    before, after = ids(draw_pairs(CLIPS, 1)), ids(draw_pairs([*CLIPS, make_clip("new", "pn")], 1))
    for source, driving in after - before:
        assert "new" in (source, driving)
    assert len(before & after) >= len(CLIPS) / 2


def test_one_person_alone_drives_nobody() -> None:
    with pytest.raises(UserError, match=r"needs clips of two people.*protocols=\[self\]"):
        draw_pairs(CLIPS[:2], 1)


def test_pairs_come_from_a_file_by_id_name_or_place(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("driving,source,note\nc0,c1.mp4,\n/videos/c3.mp4,c2,x\nc0,c1,again\n")
    assert ids(read_pairs(str(file), CLIPS)) == {("c1", "c0"), ("c2", "c3")}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("source,driver\nc0,c1\n", "needs the columns source and driving; it has source, driver"),
        ("source,driving\nc0,c1\nc0,c77\n", "line 3 of the pairs file .*: no clip is called 'c77'"),
        ("source,driving\nc0\n", "line 2 .*: no clip is called 'None'"),
        ("source,driving\n", "has no pairs"),
    ],
)
def test_a_wrong_file_is_refused(text: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=says):
        read_pairs(str(file), CLIPS)
