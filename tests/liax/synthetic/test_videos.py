"""Synthetic videos: size, rate, sound, number of faces, and the truth beside them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from liax.face import FaceFinder
from liax.synthetic.scenes import Kind
from liax.synthetic.videos import write_video
from liax.video.decode import frame_at, frames
from liax.video.probe import probe


def test_a_video_has_the_asked_shape_and_sound(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", "two_faces", seconds=0.5, fps=12, size_px=128, audio=True)
    write_video(tmp_path / "b.mp4", "still", seconds=0.5, size_px=96)
    two, still = probe(tmp_path / "a.mp4"), probe(tmp_path / "b.mp4")
    assert (two.width_px, two.height_px, two.fps, two.has_audio) == (256, 128, 12, True)
    assert (still.width_px, still.height_px, still.fps, still.has_audio) == (96, 96, 25, False)
    assert len(list(frames(tmp_path / "a.mp4"))) == 6
    pictures = [picture.astype(int) for _, picture in frames(tmp_path / "b.mp4")]
    assert max(np.abs(picture - pictures[0]).mean() for picture in pictures) < 0.5


@pytest.mark.parametrize(("kind", "faces"), [("face", 1), ("two_faces", 2), ("no_face", 0), ("small_face", 1)])
def test_faces_are_where_the_truth_says(tmp_path: Path, kind: Kind, faces: int) -> None:
    path = tmp_path / "v.mp4"
    truth = write_video(path, kind, seconds=0.2, size_px=320, seed=1)
    assert json.loads(path.with_suffix(".truth.json").read_text()) == truth
    assert len(truth["faces"]) == faces
    with FaceFinder() as finder:
        found = [face for face in finder.find(frame_at(path, 0.0)) if face.side_px > 30]
    assert len(found) == faces
    found.sort(key=lambda face: face.box_px[0])
    for face, track in zip(found, truth["faces"], strict=True):
        assert len(track) == truth["frames"]
        assert np.abs(np.array(face.box_px) - track[0]["box_px"]).max() < 0.08 * face.side_px + 3
    if kind == "small_face":
        assert found[0].side_px < 60


@pytest.mark.parametrize(("other_seed", "same"), [(7, True), (8, False)])
def test_the_same_seed_gives_the_same_file(tmp_path: Path, other_seed: int, same: bool) -> None:
    for name, seed, left_in_memory in (("a", 7, 85), ("b", other_seed, 170)):
        call = f"write_video({str(tmp_path / name)!r} + '.mp4', seconds=0.2, size_px=96, seed={seed}, audio=True)"
        subprocess.run(
            [sys.executable, "-c", f"from liax.synthetic.videos import write_video; {call}"],
            env=os.environ | {"MALLOC_PERTURB_": str(left_in_memory)},  # glibc: what new memory is filled with
            check=True,
        )
    assert ((tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()) is same


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two_faces"):
        write_video(tmp_path / "v.mp4", "three_faces")  # type: ignore[arg-type]
