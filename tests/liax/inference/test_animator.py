"""From portrait and driving video to a finished file. The weights are random: what is tested is everything else."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from liax.errors import UserError
from liax.inference.animator import Animator, choose_device
from liax.model.config import preset
from liax.model.network import LiaX
from liax.model.weights import save_model
from liax.pictures import from_model, to_model
from liax.synthetic.scenes import portrait
from liax.synthetic.videos import write_video
from liax.video.decode import frames
from liax.video.probe import probe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved tiny model, a portrait and a driving video with sound."""
    made = tmp_path_factory.mktemp("animator")
    torch.manual_seed(0)
    save_model(LiaX(preset("tiny")).eval(), str(made / "model"))
    Image.fromarray(portrait()).save(made / "me.png")
    write_video(made / "talk.mp4", "face", seconds=1.0, fps=12, size_px=256, seed=1, audio=True)
    return made


@pytest.fixture(scope="module")
def animator(folder: Path) -> Animator:
    return Animator.from_pretrained(folder / "model", device="cpu")


def test_result_has_the_driving_videos_length_rate_and_sound(animator: Animator, folder: Path, tmp_path: Path) -> None:
    out, wide = tmp_path / "out.mp4", tmp_path / "wide.mp4"
    written = animator.animate(folder / "me.png", folder / "talk.mp4", out, side_by_side_out=wide)
    assert (written.frames, written.fps, written.size_px) == (12, 12, 64)
    result, compared = probe(out), probe(wide)
    assert (result.codec, result.width_px, result.height_px, result.fps) == ("h264", 64, 64, 12)
    assert (compared.width_px, compared.height_px, compared.fps) == (768, 256, 12)
    assert result.has_audio
    assert compared.has_audio
    assert len(list(frames(out))) == len(list(frames(wide))) == 12


def pictures(animator: Animator, count: int, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 255, (count, animator.size_px, animator.size_px, 3), np.uint8))


def test_first_frame_of_relative_transfer_is_the_portrait_in_its_own_pose(animator: Animator) -> None:
    source, *driving = pictures(animator, 7)
    first, *rest = animator.frames(source, driving)
    model = animator.model
    with torch.inference_mode():
        z, features = model.encode(to_model([source]))
        own = from_model(model.decode(model.navigate(z, model.motion_coefficients(z)), features))[0]
    assert np.abs(first.astype(int) - own).max() <= 1
    assert len(rest) == 5
    assert any(np.abs(frame.astype(int) - first).max() > 0 for frame in rest)


def test_absolute_transfer_takes_the_driving_pose(animator: Animator) -> None:
    source, *driving = pictures(animator, 6)
    with torch.inference_mode():
        expected = [from_model(animator.model(to_model([source]), to_model([picture]))[0])[0] for picture in driving]
    for result, wanted in zip(animator.frames(source, driving, "absolute"), expected, strict=True):
        assert np.abs(result.astype(int) - wanted).max() <= 1


def test_frames_are_made_as_they_are_asked_for(animator: Animator) -> None:
    source, *driving = pictures(animator, 20)
    taken = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal taken
        for picture in driving:
            taken += 1
            yield picture

    next(animator.frames(source, counted()))
    assert taken <= 4


def test_without_crop_the_middle_is_taken(animator: Animator, tmp_path: Path) -> None:
    Image.new("RGB", (90, 60), "red").save(tmp_path / "p.png")
    write_video(tmp_path / "d.mp4", "no_face", seconds=0.2, size_px=96)
    written = animator.animate(tmp_path / "p.png", tmp_path / "d.mp4", tmp_path / "o.mp4", crop=False)
    assert written.frames == 5
    assert not probe(tmp_path / "o.mp4").has_audio


@pytest.mark.parametrize(("source", "driving", "text"), [
    ("blank.png", "talk.mp4", r"no face in .*blank\.png"),
    ("talk.mp4", "talk.mp4", r"talk\.mp4 is not a readable picture"),
    ("me.png", "me.png", r"me\.png"),
    ("me.png", "absent.mp4", "no such file"),
])  # fmt: skip
def test_bad_input_is_named_and_leaves_no_file(
    animator: Animator, folder: Path, tmp_path: Path, source: str, driving: str, text: str
) -> None:
    Image.new("RGB", (64, 64), "gray").save(folder / "blank.png")
    with pytest.raises(UserError, match=text):
        animator.animate(folder / source, folder / driving, tmp_path / "out.mp4")
    assert list(tmp_path.iterdir()) == []


def test_wrong_choices_are_refused(animator: Animator, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="relative or absolute"):
        animator.animate(folder / "me.png", folder / "talk.mp4", tmp_path / "o.mp4", mode="other")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no device tpu"):
        choose_device("tpu")
    with pytest.raises(UserError):
        Animator.from_pretrained(tmp_path / "nothing")
