"""The animate command: what it writes, where, and what Ctrl-C leaves of it."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from jobs.main import main
from liax import storage
from liax.progress import PROGRESS_MARK
from liax.video.decode import frames
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import VideoInfo, probe
from tests.conftest import ROOT


@pytest.fixture
def animate(studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Animate":
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIAX_MODEL", str(studio / "model"))
    return Animate(studio)


class Animate:
    """Runs the command in an empty folder, with the model that the environment names."""

    def __init__(self, studio: Path) -> None:
        self.studio = studio

    def __call__(self, *options: str, source: str = "me.png", driving: str = "talk.mp4") -> VideoInfo:
        paths = [name if "/" in name else str(self.studio / name) for name in (source, driving)]
        assert main(["animate", "-s", paths[0], "-d", paths[1], "-o", "new/out.mp4", *options]) == 0
        return probe("new/out.mp4")


def sizes(info: VideoInfo) -> tuple[int, int]:
    return info.width_px, info.height_px


def pictures(path: str | Path) -> list:
    return [picture for _, picture in frames(path)]


def test_result_and_comparison(animate: Animate, capsys: pytest.CaptureFixture[str]) -> None:
    info = animate("--side-by-side", "wide.mp4")
    assert (sizes(info), info.fps, info.has_audio) == ((64, 64), 25, True)
    assert sizes(probe("wide.mp4")) == (768, 256)
    assert len(pictures("new/out.mp4")) == len(pictures("wide.mp4")) == 10
    assert "new/out.mp4: 10 frames of 64x64 px at 25 fps" in capsys.readouterr().out
    assert {path.name for path in Path.cwd().iterdir()} == {"new", "wide.mp4"}


def test_sound(animate: Animate) -> None:
    assert not animate("--audio", "none").has_audio
    assert not animate(driving="silent.mp4").has_audio
    assert animate("--audio", str(animate.studio / "sound.m4a"), driving="silent.mp4").has_audio


def test_settings_and_mode_change_the_picture(animate: Animate) -> None:
    animate()
    plain = pictures("new/out.mp4")
    for options in (["--set", "3=0.4", "--set", "3=-1.2"], ["--absolute"], ["--start-frame", "9"]):
        animate(*options)
        changed = pictures("new/out.mp4")
        assert len(changed) == len(plain)
        assert abs(changed[0].astype(int) - plain[0]).max() > 0, options
    animate("--relative", "--set", "3=0.4", "--set", "3=-0.4", "--start-frame", "0")
    assert abs(pictures("new/out.mp4")[0].astype(int) - plain[0]).max() == 0, "settings of the same name add up"


def test_a_saved_motion_drives_like_its_video(animate: Animate) -> None:
    animate("--save-motion", "talk.motion", "--start-frame", "auto", "--audio", "none")
    by_video = pictures("new/out.mp4")
    assert not animate("--start-frame", "auto", driving="./talk.motion").has_audio
    for one, other in zip(by_video, pictures("new/out.mp4"), strict=True):
        np.testing.assert_array_equal(one, other)
    assert animate("--audio", str(animate.studio / "talk.mp4"), driving="./talk.motion").has_audio
    assert Path("talk.motion").stat().st_size < 20_000


def test_the_video_is_searched_once_for_both(animate: Animate, capsys: pytest.CaptureFixture[str]) -> None:
    animate("--save-motion", "talk.motion")
    assert capsys.readouterr().err.count("find the face:   0%") == 1
    arguments = ["-d", str(animate.studio / "talk.mp4"), "-o", "no.mp4", "--save-motion", "no.motion"]
    assert main(["animate", "-s", str(animate.studio / "blank.png"), *arguments]) == 2
    assert main(["animate", "-s", str(animate.studio / "me.png"), "--set", "yaw=1", *arguments]) == 2
    assert {path.name for path in Path.cwd().iterdir()} == {"new", "talk.motion"}


@pytest.mark.parametrize(("options", "text"), [
    (["--absolute", "--start-frame", "5"], "absolute transfer does not look at the start frame"),
    (["--start-frame", "auto", "--no-crop"], "leave out --no-crop"),
    (["--start-frame", "99999999999999999999"], "no video is that long"),
])  # fmt: skip
def test_choices_are_checked_before_anything_is_read(
    tmp_path: Path, options: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["-s", "no.png", "-d", "no.mp4", "-o", str(tmp_path / "out.mp4"), "--model", "no"]
    assert main(["animate", *arguments, *options]) == 2
    assert text in capsys.readouterr().err


def test_result_in_its_picture(animate: Animate) -> None:
    assert sizes(animate("--paste-back")) == (512, 512)
    both = animate("--paste-back", "--face", "all", source="two.png")
    assert sizes(both) == (512, 256)
    assert sizes(animate("--face", "leftmost", source="two.png")) == (64, 64)
    assert sizes(animate("--no-crop", source="blank.png", driving="blank.mp4")) == (64, 64)


def test_everything_on_s3(animate: Animate, s3_bucket: str) -> None:
    for name in ("me.png", "talk.mp4", "model/model.safetensors", "model/config.json"):
        storage.upload(animate.studio / name, f"{s3_bucket}/in/{name}")
    arguments = ["-s", f"{s3_bucket}/in/me.png", "-d", f"{s3_bucket}/in/talk.mp4", "--model", f"{s3_bucket}/in/model"]
    arguments += ["--audio", f"{s3_bucket}/in/talk.mp4", "-o", f"{s3_bucket}/out/out.mp4"]
    arguments += ["--side-by-side", f"{s3_bucket}/out/wide.mp4", "--save-motion", f"{s3_bucket}/out/talk.motion"]
    assert main(["animate", *arguments]) == 0
    written = [name.rpartition("/")[2] for name in storage.list_files(f"{s3_bucket}/out")]
    assert written == ["out.mp4", "talk.motion", "wide.mp4"]
    with storage.local_copy(f"{s3_bucket}/out/out.mp4") as local:
        assert probe(local).has_audio


def test_refusals_name_the_s3_file(animate: Animate, s3_bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("blank.png", "text.mp4"):
        storage.upload(animate.studio / name, f"{s3_bucket}/bad/{name}")
    usual = {"-s": str(animate.studio / "me.png"), "-d": str(animate.studio / "talk.mp4"), "-o": "out.mp4"}
    for change in ({"-s": f"{s3_bucket}/bad/blank.png"}, {"-d": f"{s3_bucket}/bad/text.mp4"}):
        arguments = [text for option in (usual | change).items() for text in option]
        assert main(["animate", *arguments]) == 2
        assert next(iter(change.values())) in capsys.readouterr().err


def start(*arguments: str) -> subprocess.Popen[str]:
    """The command as a process group of its own, as a terminal starts it."""
    environment = {**os.environ, "LIAX_PROGRESS": "json", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "jobs.main", "animate", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def write_talk_100_times(animate: Animate) -> None:
    """`long.mp4`, of so many frames that no machine is through with them before it is interrupted."""
    again = ["-stream_loop", "99", "-i", str(animate.studio / "talk.mp4"), "-c", "copy", "long.mp4"]
    run([ffmpeg_path(), "-v", "error", *again], "long.mp4", time_limit_s=60)


def test_ctrl_c_leaves_what_is_finished(animate: Animate) -> None:
    write_talk_100_times(animate)
    arguments = ["-s", str(animate.studio / "me.png"), "-d", "long.mp4", "-o", "out.mp4", "--no-crop"]
    arguments += ["--save-motion", "half.motion"]
    process = start(*arguments)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(PROGRESS_MARK) and json.loads(line.removeprefix(PROGRESS_MARK))["done"] >= 10:
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to everything that belongs to the command
    said, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "stopped by Ctrl-C\n"
    told = re.search(r"out\.mp4: only its first (\d+) frames", said)
    assert told is not None, said
    with av.open("out.mp4") as container:
        assert 10 <= sum(1 for _ in container.decode(video=0)) == int(told[1]) < 1000
        assert container.streams.audio
    assert {path.name for path in Path.cwd().iterdir()} == {"long.mp4", "out.mp4"}


def test_ctrl_c_before_the_first_frame_leaves_nothing_new(animate: Animate) -> None:
    Path("out.mp4").write_bytes(b"older")
    write_talk_100_times(animate)
    process = start("-s", str(animate.studio / "me.png"), "-d", "long.mp4", "-o", "out.mp4")
    assert process.stdout is not None
    process.stdout.readline()  # the search for the face has begun
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "out.mp4" not in said
    assert Path("out.mp4").read_bytes() == b"older"
    assert {path.name for path in Path.cwd().iterdir()} == {"long.mp4", "out.mp4"}
