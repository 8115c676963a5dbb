"""Repacking keeps every frame at its time, or does not happen."""

from pathlib import Path

import pytest

from liax.video.cut import cut_clip, first_moment
from liax.video.decode import frames
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import frame_table, probe
from liax.video.remux import open_source
from tests.level_videos import numbers_in, write_levels


@pytest.mark.parametrize("sound", [False, True])
@pytest.mark.parametrize("name", ["levels.ts", "levels.flv"])
def test_a_repacked_file_shows_the_same_frames_at_the_same_times(tmp_path: Path, name: str, sound: bool) -> None:
    source, path = write_levels(tmp_path / "levels.mp4", 30, 30, step=8), tmp_path / name
    tone = ["-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac"] if sound else []
    make = ["-i", str(source), *tone, "-c:v", "libx264", "-crf", "4", "-bf", "2", "-g", "10", str(path)]
    run([ffmpeg_path(), "-v", "error", *make], path, 60)
    with open_source(path) as packed:
        assert packed.suffix == ".mkv"
        assert frame_table(packed)[0] == pytest.approx(frame_table(path)[0], abs=0.00051)
        assert numbers_in(packed, 8) == numbers_in(path, 8)
        assert probe(packed).has_audio == sound
        start_s = first_moment(frame_table(path)[0][17])
        clip = tmp_path / "clip.mp4"
        shape = (0, 0, 48)
        for of in (packed, path):
            cut_clip(
                of,
                clip,
                probe(of),
                start_s=start_s,
                frames=10,
                fps=30,
                square_px=shape,
                size_px=32,
                crf=4,
                keyframe_interval=8,
            )
            assert numbers_in(clip, 8) == list(range(17, 27)), of
    assert not packed.exists()


def test_what_can_be_searched_or_not_be_repacked_stays_as_it_is(tmp_path: Path) -> None:
    source, path = write_levels(tmp_path / "levels.mp4", 30, 25), tmp_path / "levels.avi"
    # Frames in another order than they are shown in, which this container does not state.
    run([ffmpeg_path(), "-v", "error", "-i", str(source), "-c:v", "mpeg4", "-bf", "2", str(path)], path, 60)
    for file in (source, path):
        with open_source(file) as opened:
            assert opened == file
    assert len(list(frames(path))) == 30
