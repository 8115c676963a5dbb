import pickle
from collections.abc import Sequence

import pytest

from liax.errors import JobError, UserError, VideoError, run_main


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UserError("no such file: a"), 2, "error: no such file: a\n"),
        (JobError("lost"), 1, "error: lost\n"),
        (VideoError("a.mp4", "no_video_stream", "x"), 1, "error: a.mp4: no video stream (x)\n"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C\n"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(argv: Sequence[str]) -> None:
        raise error

    assert run_main(command, []) == code
    assert capsys.readouterr().err == text


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    def command(argv: Sequence[str]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_main(command, [])


def test_a_video_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(VideoError("a.mp4", "unreadable", "d")))  # noqa: S301
    assert (error.path, error.reason, error.detail) == ("a.mp4", "unreadable", "d")
