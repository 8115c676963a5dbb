"""How far work is, and how it ends early."""

import threading

import pytest

from liax.errors import UserError
from liax.progress import Progress, say, watched
from liax.ui.work import Cancelled, Line, Stand, Work, stand


def test_frames_and_their_rate() -> None:
    assert stand("animate", 42, 100, "frame", 6.0) == Stand("animate: 42 of 100 frames, 7.0 frames/s", 0.42)
    assert stand("animate", 0, 100, "frame", 0.0) == Stand("animate: 0 of 100 frames", 0.0)
    assert stand("find the face", 3, None, "picture", 1.0) == Stand("find the face: 3 pictures, 3.0 pictures/s", None)
    assert stand("animate", 101, 100, "frame", 1.0).share == 1.0, "files say too few frames"


def test_what_is_watched_is_shown_and_noted() -> None:
    shown: list[Stand] = []
    work = Work(shown.append, longest_s=60)
    with watched(work), Progress(2, "animate", "frame") as progress:
        say("warning: the face is small")
        say("warning: the face is small")
        progress.advance()
    assert [one.text for one in shown] == ["animate: 0 of 2 frames"], "no more often than it can be read"
    assert work.notes == ["warning: the face is small"]


def steps(work: Work, count: int) -> int:
    done = 0
    with watched(work), Progress(count, "animate", "frame") as progress:
        for _ in range(count):
            progress.advance()
            done += 1
    return done


def test_cancelled_work_ends_at_its_next_step() -> None:
    work = Work(lambda stand: work.cancel(), longest_s=60)
    with pytest.raises(Cancelled):
        steps(work, 5)


def test_work_that_takes_too_long() -> None:
    with pytest.raises(UserError, match="longer than 0 minutes: give a shorter video"):
        steps(Work(lambda stand: None, longest_s=0), 5)


def test_a_video_that_is_longer_than_it_says() -> None:
    assert steps(Work(lambda stand: None, 60, most_frames=3), 3) == 3
    with pytest.raises(UserError, match="more frames than its file says"):
        steps(Work(lambda stand: None, 60, most_frames=3), 4)


class Waiting:
    """Works that stand in a line, each in a thread of its own, until told to go on."""

    def __init__(self, line: Line) -> None:
        self.line, self.order, self.said = line, [], []
        self.threads: list[threading.Thread] = []

    def come(self, visitor: str, name: str) -> Work:
        shown = threading.Event()
        work = Work(lambda stand: (self.said.append(stand.text), shown.set()), longest_s=60)

        def wait() -> None:
            try:
                with self.line.turn(visitor, work):
                    self.order.append(name)
            except Cancelled:
                self.order.append(f"{name} cancelled")

        self.threads.append(threading.Thread(target=wait))
        self.threads[-1].start()
        assert shown.wait(60)
        return work


def test_works_are_done_one_after_the_other() -> None:
    waiting = Waiting(Line(most=3))
    with waiting.line.turn("me", Work(lambda stand: None, longest_s=60)):
        waiting.come("me", "first")
        cancelled = waiting.come("you", "second")
        waiting.come("you", "third")
        assert waiting.said[0] == "waiting for 1 other"
        assert "waiting for 2 others" in waiting.said
        cancelled.cancel()
        waiting.threads[1].join()
        assert waiting.order == ["second cancelled"]
    for thread in waiting.threads:
        thread.join()
    assert waiting.order == ["second cancelled", "first", "third"]


@pytest.mark.parametrize(("most", "said"), [(2, "too many are waiting"), (9, "2 of your works are waiting already")])
def test_so_many_may_wait(most: int, said: str) -> None:
    waiting = Waiting(Line(most))
    with waiting.line.turn("me", Work(lambda stand: None, longest_s=60)):
        waiting.come("me", "first")
        waiting.come("me", "second")
        with pytest.raises(UserError, match=said), waiting.line.turn("me", Work(lambda stand: None, longest_s=60)):
            pass
    for thread in waiting.threads:
        thread.join()
    assert sorted(waiting.order) == ["first", "second"]
