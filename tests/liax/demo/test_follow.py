import pytest

from liax.demo.follow import Follower
from liax.errors import JobError


def test_sentences_are_shown_and_the_rest_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    with Follower("1/2 work") as follower:
        # A log comes in pieces that end anywhere.
        follower.feed('2026 INFO noise\n@say "two ')
        follower.feed('lines\\nof it"\n@progress {"label": "a", "done": 1, "total": 2, "unit": "b", "numbers": {}}\n')
    out = capsys.readouterr().out
    assert "  two lines\n  of it\n" in out
    assert "noise" not in out
    assert "@" not in out
    assert "✓ 1/2 work" in out


def test_a_jobs_error_is_kept_and_the_step_marked(capsys: pytest.CaptureFixture[str]) -> None:
    def step() -> None:
        with Follower("2/2 more") as follower:
            follower.feed("error: no such file: a\n")
            raise JobError(follower.error)

    with pytest.raises(JobError, match="no such file: a"):
        step()
    assert "✗ 2/2 more" in capsys.readouterr().out
