"""Files that are refused before anything long is done."""

from pathlib import Path

import pytest
from PIL import Image

from liax.errors import UserError
from liax.synthetic.videos import write_video
from liax.ui.checks import SPARE_FRAMES, check_picture, check_video
from liax.ui.config import Limits


def test_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (100, 50)).save(tmp_path / "me.png")
    check_picture(tmp_path / "me.png", Limits(picture_px=5000))
    with pytest.raises(UserError, match="100×50 pixels are too many"):
        check_picture(tmp_path / "me.png", Limits(picture_px=4999))
    (tmp_path / "text.png").write_text("no picture")
    check_picture(tmp_path / "text.png", Limits())  # whoever opens it says what is wrong


def test_videos(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4", "no_face", seconds=1, fps=10, size_px=64)
    assert 10 <= check_video(tmp_path / "v.mp4", Limits()) <= 240 + SPARE_FRAMES
    with pytest.raises(UserError, match=r"the video is 1 s long: give one of at most 0\.5 s"):
        check_video(tmp_path / "v.mp4", Limits(video_s=0.5))
    with pytest.raises(UserError, match="64×64 pixels are too many"):
        check_video(tmp_path / "v.mp4", Limits(picture_px=4000))
    (tmp_path / "text.mp4").write_text("no video")
    assert check_video(tmp_path / "text.mp4", Limits()) == SPARE_FRAMES
