"""A child process that dies, hangs or fails: what the caller sees, and what is left behind."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liax.errors import ProcessDied, VideoError
from pipelines.contained import FOLDER_PREFIX, Contained, GivenUp, WorkConfig
from tests.conftest import ROOT


class Moody:
    """A worker that does what it is told, and counts its calls to tell a new process from an old one."""

    def __init__(self, greeting: str) -> None:
        self.greeting, self.calls = greeting, 0

    def __call__(self, order: str, marker: Path | None = None) -> Any:
        self.calls += 1
        if order == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        if order == "die once" and marker is not None and not marker.exists():
            marker.touch()
            tempfile.mkdtemp()
            os._exit(7)
        if order == "hang":
            time.sleep(600)
        if order == "big":
            return b"0" * 150_000_000
        if order == "helper dies":
            raise ProcessDied("ffmpeg was ended by SIGKILL")
        if order == "fail":
            raise VideoError("a.mp4", "unreadable", "as asked")
        return self.greeting, self.calls, tempfile.gettempdir(), os.getpid()


@pytest.fixture
def contained() -> Iterator[Contained]:
    opened = Contained(Moody, ("hello",), attempts=2)
    yield opened
    opened.close()


def test_the_worker_is_made_once(contained: Contained) -> None:
    greeting, first, folder, _ = contained("work", time_limit_s=60)
    assert (greeting, first) == ("hello", 1)
    assert contained("work", time_limit_s=60)[1] == 2
    assert Path(folder).name.startswith(FOLDER_PREFIX)
    contained.close()
    assert not Path(folder).exists()


def test_an_error_of_the_worker_is_raised_and_costs_no_process(contained: Contained) -> None:
    contained("work", time_limit_s=60)
    with pytest.raises(VideoError, match="as asked") as caught:
        contained("fail", time_limit_s=60)
    assert caught.value.reason == "unreadable"
    assert contained("work", time_limit_s=60)[1] == 3


def test_a_crash_is_tried_again_and_then_given_up(contained: Contained) -> None:
    with pytest.raises(GivenUp, match="SIGSEGV") as caught:
        contained("die", time_limit_s=60)
    assert (caught.value.reason, caught.value.attempts) == ("crashed", 2)
    assert contained("work", time_limit_s=60)[1] == 1, "the next item gets a new process"


def test_a_single_crash_loses_nothing_and_leaves_nothing(contained: Contained, tmp_path: Path) -> None:
    _, calls, folder, _ = contained("die once", tmp_path / "marker", time_limit_s=60)
    assert (calls, contained.attempts) == (1, 2)
    assert [left.name for left in Path(folder).iterdir()] == ["lock"], "the dead process's temporary files"


def test_a_helper_that_is_killed_costs_an_attempt(contained: Contained) -> None:
    with pytest.raises(GivenUp, match="ffmpeg was ended by SIGKILL") as caught:
        contained("helper dies", time_limit_s=60)
    assert (caught.value.reason, caught.value.attempts, contained.attempts) == ("crashed", 2, 2)


def test_a_child_that_is_killed_while_idle_is_replaced(contained: Contained) -> None:
    pid = contained("work", time_limit_s=60)[3]
    os.kill(pid, signal.SIGKILL)
    _, calls, _, other = contained("work", time_limit_s=60)
    assert calls == 1
    assert other != pid


def test_a_child_that_is_killed_while_it_starts_costs_an_attempt(contained: Contained) -> None:
    def kill() -> None:
        while contained._child is None:
            time.sleep(0.001)
        contained._child[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    assert contained("work", time_limit_s=60)[1] == 1
    killer.join()
    assert contained.attempts == 2


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_child_that_ends_or_stops_in_a_big_answer_is_no_hang(
    contained: Contained, signal_number: signal.Signals
) -> None:
    # That a child has stopped, only this limit tells, which the second attempt must meet too.
    limit_s = 30 if signal_number == signal.SIGSTOP else 60
    folder, pid = Path(contained("work", time_limit_s=60)[2]), contained("work", time_limit_s=60)[3]
    found: list[int] = []

    def strike() -> None:
        deadline_s = time.monotonic() + 30
        while time.monotonic() < deadline_s and not found:
            found.extend(path.stat().st_size for path in folder.glob("answer"))
        os.kill(pid, signal_number)

    striker = threading.Thread(target=strike)
    striker.start()
    assert len(contained("big", time_limit_s=limit_s)) == 150_000_000
    striker.join()
    assert found[0] < 150_000_000
    assert contained.attempts == 2
    assert contained("work", time_limit_s=60)[1] == 2


def test_big_items_and_answers_pass(contained: Contained) -> None:
    assert len(contained("big", Path("x" * 10_000_000), time_limit_s=60)) == 150_000_000
    assert contained.attempts == 1


def test_an_unused_one_takes_its_folder_along() -> None:
    contained = Contained(Moody, ("hello",), attempts=1)
    folder, pid = contained("work", time_limit_s=60)[2:]
    del contained
    assert not Path(folder).exists()
    assert not Path(f"/proc/{pid}").exists()


def test_a_hang_is_ended(contained: Contained) -> None:
    contained("work", time_limit_s=60)
    with pytest.raises(GivenUp, match="no result after 1 s") as caught:
        contained("hang", time_limit_s=1)
    assert caught.value.reason == "timed_out"


def test_nothing_outlives_a_killed_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # elsewhere another test's may sweep it first
    code = (
        "from pathlib import Path; from pipelines.contained import Contained\n"
        "from tests.pipelines.test_contained import Moody\n"
        "if __name__ == '__main__':\n"
        "    c = Contained(Moody, ('hello',), attempts=1)\n"
        "    print(*c('work', time_limit_s=60)[2:], flush=True)\n"
        "    c('hang', time_limit_s=600)\n"
    )
    script = tmp_path / "parent.py"
    script.write_text(code)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        folder, child = parent.stdout.readline().split()
        parent.kill()
    deadline_s = time.monotonic() + 30
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists()
    assert Path(folder).is_dir(), "a killed parent cannot clean up"
    Contained(Moody, ("hello",), attempts=1).close()
    assert not Path(folder).exists(), "the next one does it"


def test_time_limits_grow_with_the_work() -> None:
    config = WorkConfig(least_time_limit_s=100, time_limit_factor=10)
    assert config.time_limit_s(0) == 100
    assert config.time_limit_s(60) == 700
