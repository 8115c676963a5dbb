"""Faces are sampled as often as asked, also where a file's frames hang on each other in long chains."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from liax.face import FaceFinder
from liax.video.decode import decoded
from liax.video.ffmpeg import ffmpeg_path, run
from pipelines.faces import find_tracks
from pipelines.shots import ShotsConfig
from pipelines.tracking import FacesConfig


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as opened:
        yield opened


def test_many_frames_in_a_row_that_no_other_needs_are_decoded_after_all(finder: FaceFinder, tmp_path: Path) -> None:
    still, video = tmp_path / "person.png", tmp_path / "person.mp4"
    Image.fromarray(skimage.data.astronaut()).save(still)
    shaken = "scale=560:560,crop=512:512:x='24+20*sin(n/8)':y=24"
    coding = ["-c:v", "libx264", "-bf", "16", "-b_strategy", "0", "-g", "250", "-x264-params", "b-pyramid=none"]
    picture = ["-loop", "1", "-framerate", "25", "-t", "3", "-i", str(still), "-vf", shaken, "-pix_fmt", "yuv420p"]
    run([ffmpeg_path(), "-v", "error", *picture, *coding, str(video)], video, 60)
    left_s = [time_s for time_s, _, _ in decoded(video, skip_unreferenced=True)]
    assert np.diff(left_s).max() > 0.5
    (track,) = find_tracks(video, 0.0, None, finder, FacesConfig(least_face_px=50), ShotsConfig()).tracks
    assert np.diff(track.times_s).max() == pytest.approx(0.16)
