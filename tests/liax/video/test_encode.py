"""Ctrl-C while a video is written, and names that cannot be written.

The interrupted writing is done by processes of their own, which get the signal as a terminal sends it: to the group.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from liax.errors import UserError
from liax.video.decode import frames
from liax.video.encode import VideoWriter
from liax.video.probe import probe
from tests.click_and_flash import write_click_and_flash

WRITES = """
import sys, time
import numpy as np
from liax.errors import run_main
from liax.video.encode import VideoWriter

def command(argv):
    out, pictures, sound = argv
    with VideoWriter(out, 640, 360, 25, audio_from=sound or None) as writer:
        print("ready", flush=True)
        for number in range(int(pictures)):
            writer.write(np.full((360, 640, 3), number % 200, np.uint8))
            if number == 10:
                print("ten", flush=True)
        if not int(pictures):
            time.sleep(60)
    print("done", flush=True)

sys.exit(run_main(command))
"""


def interrupted(out: Path, pictures: int, line: str, sound: str = "") -> tuple[int, str]:
    """Start the writing, send Ctrl-C after it has printed `line`; exit code and what it wrote to stderr."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(out), str(pictures), sound],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, so that the signal does not reach the tests
    )
    assert process.stdout is not None
    while (said := process.stdout.readline().strip()) != line:
        assert said, "it ended too early"
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("with_sound", [False, True])
def test_ctrl_c_leaves_the_frames_so_far(tmp_path: Path, with_sound: bool) -> None:
    sound = ""
    if with_sound:
        sound = str(write_click_and_flash(tmp_path / "sound.mp4", 0.4, [0, 0.4], (0, 0.6)))
    out = tmp_path / "made" / "out.mp4"
    code, errors = interrupted(out, 1_000_000, "ten", sound)
    assert (code, errors) == (130, "stopped by Ctrl-C\n")
    assert [file.name for file in out.parent.iterdir()] == ["out.mp4"]
    levels = [round(float(picture.mean())) for _, picture in frames(out)]
    assert len(levels) > 10
    assert all(abs(level - number % 200) <= 2 for number, level in enumerate(levels))  # nothing lost or torn
    assert probe(out).has_audio == with_sound


def test_ctrl_c_while_the_file_is_closed_waits_until_it_is_whole(tmp_path: Path) -> None:
    def interrupt(ffmpeg: int) -> None:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        os.kill(ffmpeg, signal.SIGCONT)

    def write() -> None:
        with VideoWriter(tmp_path / "out.mp4", 64, 64, 25) as writer:
            for level in range(30):
                writer.write(np.full((64, 64, 3), level, np.uint8))
            ffmpeg = writer._process.pid
            os.kill(ffmpeg, signal.SIGSTOP)  # closing takes until it goes on
            threading.Thread(target=interrupt, args=(ffmpeg,)).start()

    with pytest.raises(KeyboardInterrupt):
        write()
    assert len(list(frames(tmp_path / "out.mp4"))) == 30
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_before_the_first_frame_leaves_nothing(tmp_path: Path) -> None:
    code, errors = interrupted(tmp_path / "out.mp4", 0, "ready")
    assert (code, errors) == (130, "stopped by Ctrl-C\n")
    assert list(tmp_path.iterdir()) == []


def test_names_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, text in (
        (".", "is a folder: give the name of a file"),
        ("file/out.mp4", "a file is in its place"),
        ("out.avi", "ends in .mp4"),
    ):
        with pytest.raises(UserError, match=text):
            VideoWriter(tmp_path / name, 32, 32, 25)
