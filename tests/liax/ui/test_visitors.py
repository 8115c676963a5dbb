"""Whose files are whose."""

from pathlib import Path

import pytest

from liax.ui.visitors import LONGEST_IDLE_S, Visitors
from liax.ui.work import Work


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def visitors(tmp_path: Path, clock: Clock) -> Visitors:
    return Visitors(tmp_path, kept_s=60, most_bytes=100, clock=clock)


def upload(folder: Path, name: str, size: int = 10) -> Path:
    file = folder / name
    file.write_bytes(b"x" * size)
    return file


def test_a_visitor_is_known_by_its_secret_only(visitors: Visitors) -> None:
    one, other = visitors.greet(None), visitors.greet("made up")
    assert one.secret != other.secret
    assert visitors.greet(one.secret) is one
    assert one.secret not in str(one.folder), "addresses of files are passed on"


def test_files_are_their_visitors_alone(visitors: Visitors, tmp_path: Path) -> None:
    one, other = visitors.greet(None), visitors.greet(None)
    mine, made = upload(tmp_path, "mine.png"), visitors.new_folder(one) / "out.mp4"
    visitors.claim(one, mine)
    assert visitors.may_read(one.secret, mine)
    assert visitors.may_read(one.secret, made)
    for secret in (other.secret, None, ""):
        assert not visitors.may_read(secret, mine)
        assert not visitors.may_read(secret, made)
    outside = made.parent / ".." / ".." / other.folder.name / "out.mp4"
    assert not visitors.may_read(one.secret, outside)
    assert not visitors.may_read(one.secret, Path("/etc/passwd"))
    assert visitors.may_read(one.secret, tmp_path / "examples" / "portrait.png")
    assert not visitors.may_read(None, tmp_path / "examples" / "portrait.png")


def test_a_tab_belongs_to_whoever_opened_it(visitors: Visitors) -> None:
    one, other = visitors.greet(None), visitors.greet(None)
    tab = visitors.tab(one.secret, "abc")
    assert tab is not None
    assert visitors.tab(one.secret, "abc") is tab
    assert visitors.tab(other.secret, "abc") is None
    assert visitors.tab("nobody", "def") is None


def test_closing_a_tab_ends_its_work(visitors: Visitors) -> None:
    tab = visitors.tab(visitors.greet(None).secret, "abc")
    assert tab is not None
    tab.work = Work(lambda stand: None, longest_s=60)
    visitors.close_tab("abc")
    visitors.close_tab("abc")
    with pytest.raises(Exception, match="cancelled"):
        tab.work.advanced("animate", 1, 2, "frame")


def test_files_go_some_time_after_the_last_tab(visitors: Visitors, tmp_path: Path, clock: Clock) -> None:
    one = visitors.greet(None)
    mine, made = upload(tmp_path, "mine.png"), visitors.new_folder(one) / "out.mp4"
    made.touch()
    visitors.claim(one, mine)
    visitors.tab(one.secret, "a")
    clock.now_s = 1000
    visitors.tidy()
    assert mine.exists(), "a page that is open may be idle for long"
    visitors.close_tab("a")
    clock.now_s = 1050
    visitors.tidy()
    assert made.exists(), "whoever reloads the page comes back"
    clock.now_s = 1061
    visitors.tidy()
    assert not mine.exists()
    assert not made.exists()
    assert visitors.greet(one.secret) is not one


def test_the_same_file_of_two_visitors_stays_for_the_other(visitors: Visitors, tmp_path: Path, clock: Clock) -> None:
    one, other = visitors.greet(None), visitors.greet(None)
    both = upload(tmp_path, "both.png")
    visitors.claim(one, both)
    visitors.claim(other, both)
    visitors.tab(other.secret, "b")
    clock.now_s = 100
    visitors.tidy()
    assert visitors.greet(one.secret) is not one
    assert both.exists()
    assert visitors.may_read(other.secret, both)


def test_the_oldest_uploads_make_room(visitors: Visitors, tmp_path: Path) -> None:
    one = visitors.greet(None)
    files = [upload(tmp_path, f"{place}.png", 40) for place in range(3)]
    for file in files:
        visitors.claim(one, file)
    assert [file.exists() for file in files] == [False, True, True]
    assert not visitors.may_read(one.secret, files[0])


def test_a_page_that_never_says_it_was_left(visitors: Visitors, tmp_path: Path, clock: Clock) -> None:
    one = visitors.greet(None)
    mine = upload(tmp_path, "mine.png")
    visitors.claim(one, mine)
    visitors.tab(one.secret, "a")
    clock.now_s = LONGEST_IDLE_S
    visitors.tidy()
    assert mine.exists()
    clock.now_s += 1
    visitors.tidy()
    assert not mine.exists()
    assert visitors.tab(one.secret, "a") is None
