"""The crop adds no motion and holds the face, by measures that it was not made from: flow and fresh detections."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from liax.face import FaceFinder
from liax.sample import CropInfo
from liax.video.decode import frames
from pipelines.clips import make_clips
from pipelines.config import PreprocessConfig
from pipelines.faces import find_tracks
from pipelines.outcomes import Segment, Source
from pipelines.run import Run

VIDEOS = ("v007.mp4", "v043.mp4", "v049.mp4")
"""At 25 fps, so that the clip shows every frame of the source once; one has to be enlarged, one shrunk."""

SIZE_PX = 512


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as opened:
        yield opened


@pytest.mark.parametrize("name", VIDEOS)
def test_motion_in_the_clip_is_that_of_the_source(corpus: Path, finder: FaceFinder, tmp_path: Path, name: str) -> None:
    path = corpus / "videos" / name
    config = PreprocessConfig.model_validate({"input": "-", "output": str(tmp_path)})
    analysis = find_tracks(path, 0.0, None, finder, config.faces, config.shots)
    segment = Segment(id="piece", source=Source(uri=str(path), sha256="ab" * 32), number=0, start_s=0.0, end_s=None)
    opened = Run(str(tmp_path), "0" * 12)
    (clip,) = make_clips(opened, config, segment, analysis).clips
    made = [picture_HWC for _, picture_HWC in frames(opened.clip(clip.key, "mp4"))]
    source = [picture_HWC for _, picture_HWC in frames(path, start=clip.start_s)][: len(made)]

    offsets = [
        motion(made[index : index + 2])
        - motion([inside(picture_HWC, clip.crop) for picture_HWC in source[index : index + 2]])
        for index in range(0, len(made) - 1, 4)
    ]
    size_px = np.abs(offsets)
    assert np.median(size_px) < 0.1
    assert np.percentile(size_px, 95) < 0.5

    boxes = [finder.find(picture_HWC)[0].box_px for picture_HWC in made[::4]]
    held = [left >= 0 and top >= 0 and right <= SIZE_PX and bottom <= SIZE_PX for left, top, right, bottom in boxes]
    assert np.mean(held) >= 0.99


def inside(picture_HWC: NDArray[np.uint8], crop: CropInfo) -> NDArray[np.uint8]:
    """The crop's square, scaled by OpenCV."""
    bottom, right = crop.top_px + crop.side_px, crop.left_px + crop.side_px
    cut = picture_HWC[crop.top_px : bottom, crop.left_px : right]
    shrinks = crop.side_px > SIZE_PX
    scaled = cv2.resize(cut, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(scaled, dtype=np.uint8)


def motion(pair: list[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Median movement of what can be followed from one picture to the next, in pixels."""
    before, after = (cv2.cvtColor(picture_HWC, cv2.COLOR_RGB2GRAY) for picture_HWC in pair)
    middle = np.zeros_like(before)
    middle[SIZE_PX // 4 : -SIZE_PX // 4, SIZE_PX // 4 : -SIZE_PX // 4] = 255
    points = cv2.goodFeaturesToTrack(before, 200, 0.01, 5, mask=middle)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, winSize=(21, 21))  # type: ignore[call-overload]
    return np.asarray(np.median((moved - points)[found == 1], axis=0), dtype=np.float64)
