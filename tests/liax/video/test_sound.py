"""Sound and pictures stay in step from a source to a video that is made of its frames: a click is heard at a flash."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from liax.errors import UserError, VideoError
from liax.inference.driving import constant_rate, open_driving
from liax.video.decode import frames
from liax.video.encode import VideoWriter
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import probe
from liax.video.sound import check_sound, sound_start_s
from tests.click_and_flash import click_s, flash_s, write_click_and_flash

REGULAR = [number / 25 for number in range(30)]
UNEVEN = list(np.cumsum(np.random.default_rng(0).uniform(0.01, 0.09, 30)) - 0.01)


def made_again(video: Path, out: Path) -> float:
    """Write the video's frames at a constant rate with its sound; return the time of one frame."""
    driving = open_driving(video, 32, None)
    with VideoWriter(out, 32, 32, driving.fps, audio_from=video) as writer:
        for picture in constant_rate(driving.pictures(), driving.fps):
            writer.write(picture)
    return float(1 / driving.fps)


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(
    ("at_s", "times_s", "sound_s"),
    [
        (0.8, REGULAR, (0.0, 1.2)),
        (0.8, REGULAR, (0.5, 1.2)),
        (1.22, [0.5 + time_s for time_s in REGULAR], (0.0, 1.7)),
        (5.8, [5 + time_s for time_s in REGULAR], (5.5, 6.2)),
        (UNEVEN[15], UNEVEN, (0.3, UNEVEN[-1])),
    ],
    ids=["together", "sound later", "sound first", "both late", "variable rate"],
)
def test_click_and_flash_stay_together(
    tmp_path: Path, container: str, at_s: float, times_s: Sequence[float], sound_s: tuple[float, float]
) -> None:
    video = write_click_and_flash(tmp_path / f"v.{container}", at_s, times_s, sound_s)
    assert click_s(video) == pytest.approx(flash_s(video), abs=0.005)  # the test's own premise
    frame_s = made_again(video, tmp_path / "out.mp4")
    assert click_s(tmp_path / "out.mp4") == pytest.approx(flash_s(tmp_path / "out.mp4"), abs=frame_s)
    assert flash_s(tmp_path / "out.mp4") == pytest.approx(flash_s(video), abs=frame_s)


def test_odd_sizes_and_rotation_keep_in_step(tmp_path: Path) -> None:
    odd = write_click_and_flash(tmp_path / "odd.mp4", 0.8, REGULAR, (0.5, 1.2), (63, 41))
    turn = ["-display_rotation", "90", "-i", str(odd), "-c", "copy", str(tmp_path / "turned.mp4")]
    run([ffmpeg_path(), "-v", "error", *turn], odd, 60)
    info = probe(tmp_path / "turned.mp4")
    assert (info.width_px, info.height_px) == (41, 63)
    for name in ("odd.mp4", "turned.mp4"):
        frame_s = made_again(tmp_path / name, tmp_path / "out.mp4")
        assert click_s(tmp_path / "out.mp4") == pytest.approx(flash_s(tmp_path / "out.mp4"), abs=frame_s)


@pytest.mark.parametrize("ending", ["wav", "mp3", "flac", "m4a", "ogg"])
def test_a_file_that_only_sounds_may_give_the_sound(tmp_path: Path, ending: str) -> None:
    sound, path = tmp_path / f"sound.{ending}", tmp_path / "v.mp4"
    beep = "aevalsrc='between(t,0.4,0.41)*sin(6283*t)':d=0.6:s=44100"
    run([ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", beep, str(sound)], sound, 60)
    check_sound(sound)
    with VideoWriter(path, 32, 32, 25, audio_from=sound) as writer:
        for _ in range(25):
            writer.write(np.zeros((32, 32, 3), dtype=np.uint8))
    assert click_s(path) == pytest.approx(0.4, abs=0.04)
    with av.open(str(path)) as container:
        heard = container.streams.audio[0]
        assert heard.duration is not None
        assert heard.time_base is not None
        assert float(heard.duration * heard.time_base) == pytest.approx(1.0, abs=0.05)
    assert len(list(frames(path))) == 25


def test_what_has_no_sound_is_named(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "silent.mp4", 32, 32, 25) as writer:
        writer.write(np.zeros((32, 32, 3), dtype=np.uint8))
    (tmp_path / "text.wav").write_text("not a sound")
    assert sound_start_s(tmp_path / "silent.mp4") is None
    with pytest.raises(VideoError, match="unreadable"):
        sound_start_s(tmp_path / "text.wav")
    for name, text in (("silent.mp4", "has no sound"), ("text.wav", "unreadable"), ("absent.wav", "no such file")):
        with pytest.raises(UserError, match=text) as caught:
            check_sound(tmp_path / name)
        assert "\n" not in str(caught.value)
