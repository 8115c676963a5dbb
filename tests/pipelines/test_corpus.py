"""Real videos, without Ray: every face gives one clip, and what is none gives a reason."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from liax.face import FaceFinder
from pipelines.clips import make_clips
from pipelines.config import PreprocessConfig
from pipelines.faces import find_tracks
from pipelines.outcomes import Source
from pipelines.run import Run


@pytest.fixture(scope="module")
def finder() -> Iterator[FaceFinder]:
    with FaceFinder() as opened:
        yield opened


@pytest.mark.parametrize(
    ("name", "clips", "reason"),
    [
        ("v006.mp4", 2, None),
        ("v012.mp4", 0, "face_too_small"),
        ("v013.mp4", 1, None),
        ("v019.mp4", 0, "face_too_small"),
        ("v035.mp4", 0, "no_face"),
        ("v039.mp4", 1, None),
        ("v043.mp4", 1, None),
    ],
)
def test_verdicts(corpus: Path, finder: FaceFinder, tmp_path: Path, name: str, clips: int, reason: str | None) -> None:
    config = PreprocessConfig.model_validate({"input": "-", "output": str(tmp_path), "clip": {"size_px": 128}})
    path = corpus / "videos" / name
    tracks = find_tracks(path, finder, config.faces)
    record = make_clips(Run(str(tmp_path), "0" * 12), config, Source(uri=str(path), sha256="ab" * 32), tracks)
    assert len(record.clips) == clips
    assert len(record.outcomes) == max(1, len(tracks))
    if reason is not None:
        assert record.outcomes[0].reason == reason
    for clip in record.clips:
        crop = clip.crop
        assert 0 < crop.side_px <= min(crop.source_width_px, crop.source_height_px)
        assert 0 <= crop.left_px <= crop.source_width_px - crop.side_px
        assert 0 <= crop.top_px <= crop.source_height_px - crop.side_px
        assert Path(Run(str(tmp_path), "0" * 12).clip(clip.key, "mp4")).stat().st_size > 1000
