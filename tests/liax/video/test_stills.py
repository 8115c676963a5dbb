from pathlib import Path

import pytest

from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import frame_table
from liax.video.stills import key_frames
from tests.level_videos import write_levels


def test_key_frames_are_those_of_the_table_and_show_their_number(tmp_path: Path) -> None:
    path = tmp_path / "keys.mp4"
    source = write_levels(tmp_path / "levels.mp4", 30, 25, step=8)
    make = ["-i", str(source), "-c:v", "libx264", "-crf", "4", "-g", "8", "-sc_threshold", "0", str(path)]
    run([ffmpeg_path(), "-v", "error", *make], path, 60)
    times_s, is_key = frame_table(path)
    found = list(key_frames(path))
    assert [time_s for time_s, _ in found] == pytest.approx(times_s[is_key].tolist())
    assert [round((float(picture.mean()) - 8) / 8) for _, picture in found] == [0, 8, 16, 24]
    some = list(key_frames(path, {1, 3}))
    assert [round((float(picture.mean()) - 8) / 8) for _, picture in some] == [8, 24]
