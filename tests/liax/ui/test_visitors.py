"""Whose files are whose."""

import os
import threading
import time
from pathlib import Path

import pytest

from liax.ui.visitors import BROKEN_OFF_S, LONGEST_IDLE_S, Tab, Visitors
from liax.ui.work import Cancelled, Work


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
    assert visitors.tab(one.secret, "abc") is None, "asking for it does not open it"
    tab = visitors.tab(one.secret, "abc", opening=True)
    assert tab is not None
    assert tab.name == "abc"
    assert visitors.tab(one.secret, "abc") is tab
    assert visitors.tab(other.secret, "abc", opening=True) is None
    assert visitors.tab("nobody", "def", opening=True) is None
    visitors.close_tab("abc")
    assert visitors.tab(one.secret, "abc") is None


def begun(tab: Tab | None, *names: str) -> list[Work]:
    assert tab is not None
    tab.works = {name: Work(lambda stand: None, longest_s=60) for name in names}
    return list(tab.works.values())


def has_ended(work: Work) -> bool:
    try:
        work.advanced("animate", 1, 2, "frame")
    except Cancelled:
        return True
    return False


def test_closing_a_tab_ends_its_work(visitors: Visitors) -> None:
    works = begun(visitors.tab(visitors.greet(None).secret, "abc", opening=True), "animate", "video")
    visitors.close_tab("abc")
    visitors.close_tab("abc")
    assert all(map(has_ended, works))


def test_a_part_of_the_page_cancels_its_own_work(visitors: Visitors) -> None:
    tab = visitors.tab(visitors.greet(None).secret, "abc", opening=True)
    assert tab is not None
    works = [Work(lambda stand: None, longest_s=60) for _ in range(3)]
    with tab.working("animate", works[0]):
        with tab.working("video", works[1]):
            tab.cancel("video")
            tab.cancel("explore")
            assert [has_ended(work) for work in works] == [False, True, False]
        with tab.working("animate", works[2]):
            assert has_ended(works[0]), "it begins anew"
    assert tab.works == {}


def test_a_page_that_ends_ends_all_work_and_waits_for_it(visitors: Visitors) -> None:
    tab = visitors.tab(visitors.greet(None).secret, "abc", opening=True)
    assert tab is not None
    work, inside = Work(lambda stand: None, longest_s=60), threading.Event()

    def make() -> None:
        with tab.working("animate", work):
            inside.set()
            while not has_ended(work):
                pass

    thread = threading.Thread(target=make)
    thread.start()
    inside.wait()
    visitors.end(patience_s=60)
    assert tab.works == {}
    thread.join()
    (stuck,) = begun(tab, "video")
    visitors.end(patience_s=0)
    assert has_ended(stuck)


def test_files_go_some_time_after_the_last_tab(visitors: Visitors, tmp_path: Path, clock: Clock) -> None:
    one = visitors.greet(None)
    mine, made = upload(tmp_path, "mine.png"), visitors.new_folder(one) / "out.mp4"
    made.touch()
    visitors.claim(one, mine)
    visitors.tab(one.secret, "a", opening=True)
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
    visitors.tab(other.secret, "b", opening=True)
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


def test_results_count_with_the_uploads(visitors: Visitors, tmp_path: Path) -> None:
    one = visitors.greet(None)
    folders = [visitors.new_folder(one) for _ in range(3)]
    mine = upload(tmp_path, "mine.png", 30)
    visitors.claim(one, mine)
    for folder in folders:
        upload(folder, "edited.mp4", 40)
        visitors.claim(one, folder)
    assert [path.exists() for path in (mine, *folders)] == [False, False, True, True]
    assert visitors.may_read(one.secret, folders[2] / "edited.mp4")


def test_nothing_is_left_of_broken_off_uploads_and_of_their_folders(visitors: Visitors, tmp_path: Path) -> None:
    one = visitors.greet(None)
    old, new = upload(tmp_path, "tmpabc"), upload(tmp_path, "tmpdef")
    long_ago_s = time.time() - BROKEN_OFF_S - 60
    os.utime(old, (long_ago_s, long_ago_s))
    visitors.tidy()
    assert (old.exists(), new.exists()) == (False, True)
    (tmp_path / "hash").mkdir()
    visitors.claim(one, upload(tmp_path / "hash", "a.png", 90))
    visitors.claim(one, upload(tmp_path, "b.png", 90))
    assert not (tmp_path / "hash").exists()


def test_a_page_that_never_says_it_was_left(visitors: Visitors, tmp_path: Path, clock: Clock) -> None:
    one = visitors.greet(None)
    mine = upload(tmp_path, "mine.png")
    visitors.claim(one, mine)
    (work,) = begun(visitors.tab(one.secret, "a", opening=True), "animate")
    clock.now_s = LONGEST_IDLE_S
    visitors.tidy()
    assert mine.exists()
    clock.now_s += 1
    visitors.tidy()
    assert not mine.exists()
    assert has_ended(work)
    assert visitors.tab(one.secret, "a") is None
