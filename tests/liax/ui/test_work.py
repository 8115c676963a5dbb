"""How far work is, and how it ends early."""

import pytest

from liax.errors import UserError
from liax.progress import Progress, say, watched
from liax.ui.work import Cancelled, Stand, Work, stand


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
