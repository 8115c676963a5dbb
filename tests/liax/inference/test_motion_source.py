"""What drives: frames of a video at a constant rate, their poses, and the same from a file."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from liax.errors import UserError
from liax.face import FaceFinder
from liax.inference.driving import Driving, open_driving
from liax.inference.motion import Motion, space_id
from liax.inference.motion_source import FromFile, FromVideo, encode_motion
from liax.inference.renderer import Renderer
from liax.model.config import preset
from liax.model.network import LiaX
from liax.synthetic.videos import write_video
from tests.liax.model import drawn

FRAMES, EVERY = 30, 3
"""At 15 fps, faces are looked for in every third frame."""


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer(drawn.fill(LiaX(preset("tiny"))), "cpu", "float32")


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Driving, np.ndarray]:
    """A video, and the true head poses T×3 of its frames in degrees, relative to a portrait's."""
    path = tmp_path_factory.mktemp("source") / "talk.mp4"
    truth = write_video(path, "face", seconds=FRAMES / 15, fps=15, size_px=256, seed=5)
    angles = ("yaw_deg", "pitch_deg", "roll_deg")
    poses = np.array([[frame["motion"][angle] for angle in angles] for frame in truth["faces"][0]])
    with FaceFinder() as finder:
        return open_driving(path, 64, finder), poses


def coefficients(source: FromVideo | FromFile) -> np.ndarray:
    return torch.cat([a_BM for _, a_BM in source.steps()]).numpy()


def test_every_frame_is_measured(renderer: Renderer, talk: tuple[Driving, np.ndarray]) -> None:
    source = FromVideo(renderer, talk[0])
    pictures = [picture for _, picture in talk[0].pictures()]
    steps = list(source.steps())
    assert [len(seen) for seen, _ in steps] == [len(a_BM) for _, a_BM in steps]
    seen = [picture for batch, _ in steps for picture in batch]
    assert len(seen) == FRAMES == source.frames_estimate
    for one, other in zip(seen, pictures, strict=True):
        np.testing.assert_array_equal(one, other)
    a_TM = coefficients(source)
    for frame in (0, 13, FRAMES - 1):
        np.testing.assert_allclose(renderer.motion([pictures[frame]])[0], a_TM[frame], atol=1e-4)
        np.testing.assert_array_equal(source.at(frame)[0], a_TM[frame], "not even rounded differently")


def test_frames_that_are_not_shown_are_not_measured(renderer: Renderer, talk: tuple[Driving, np.ndarray]) -> None:
    video = talk[0]
    slow = replace(video, footage=replace(video.footage, fps=Fraction(5)))
    assert FRAMES // 3 <= len(coefficients(FromVideo(renderer, slow))) <= FRAMES // 3 + 1


def test_the_nearest_pose_is_found(renderer: Renderer, talk: tuple[Driving, np.ndarray]) -> None:
    video, true_T3 = talk
    source = FromVideo(renderer, video)
    measured_T3 = source.head_pose(FRAMES)
    known = np.flatnonzero(np.isfinite(measured_T3).all(axis=1))
    assert known.tolist() == list(range(0, FRAMES, EVERY))
    # What the finder measures for a true pose of zero: the portrait's own pose.
    own_3 = np.median(measured_T3[known] - true_T3[known], axis=0)
    off, by_chance = [], []
    for frame in known:
        away = np.linalg.norm(true_T3 - true_T3[frame], axis=1)
        off.append(away[source.nearest(own_3 + true_T3[frame])])
        by_chance.append(away[known].mean())
        assert source.nearest(measured_T3[frame]) == frame
    # The finder itself is off by some degrees, and neighbouring frames are alike.
    assert np.mean(off) < 5 < 15 < np.mean(by_chance)


def test_a_file_drives_as_its_video_does(renderer: Renderer, talk: tuple[Driving, np.ndarray], tmp_path: Path) -> None:
    encode_motion(renderer, talk[0]).save(tmp_path / "talk.motion")
    assert (tmp_path / "talk.motion").stat().st_size < FRAMES * 200
    motion = Motion.load(tmp_path / "talk.motion")
    video, file = FromVideo(renderer, talk[0]), FromFile(renderer, motion)
    assert (file.fps, file.frames_estimate) == (15, FRAMES)
    np.testing.assert_array_equal(coefficients(file), coefficients(video))
    assert all(len(a_BM) <= renderer.batch and not seen for seen, a_BM in file.steps())
    np.testing.assert_array_equal(file.at(7)[0], motion.coefficients_TM[7])
    pose_3 = motion.head_pose_T3[2 * EVERY]
    assert file.nearest(pose_3) == video.nearest(pose_3) == 2 * EVERY


def test_what_is_not_there_is_refused(renderer: Renderer, talk: tuple[Driving, np.ndarray]) -> None:
    video = talk[0]
    unsearched = replace(video, footage=replace(video.footage, poses=[]))
    motion = Motion(np.zeros((4, 20), np.float32), Fraction(25), np.full((4, 3), np.nan, np.float32), "other")
    with pytest.raises(UserError, match="another model"):
        FromFile(renderer, motion)
    still = FromFile(renderer, replace(motion, space_id=space_id(renderer.model)))
    for source in (FromVideo(renderer, unsearched), still):
        with pytest.raises(UserError, match="no frame 30"):
            source.at(30)
        with pytest.raises(UserError, match="instead of auto"):
            source.nearest(np.zeros(3, np.float32))
