"""From files to files through everything that a user calls. The weights are random: the plumbing is tested."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from liax.crop import Square, cut
from liax.errors import UserError
from liax.face import FaceFinder
from liax.inference.animator import Animator
from liax.inference.controls import Controls
from liax.inference.motion import Motion
from liax.inference.portraits import open_portraits
from liax.inference.precision import choose_device
from liax.model.config import preset
from liax.model.network import LiaX
from liax.model.weights import save_model
from liax.pictures import Picture, load_picture
from liax.synthetic.scenes import portrait
from liax.synthetic.videos import write_video
from liax.video.decode import frame_at, frames
from liax.video.probe import probe
from tests.liax.model import drawn
from tests.measured_controls import controls_file

FPS, EVERY = 15, 3
"""Of the driving video, in which faces are looked for in every third frame."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved tiny model, portraits, and videos; `turned.png` shows what the driving video does in frame 9."""
    made = tmp_path_factory.mktemp("animator")
    model = drawn.fill(LiaX(preset("tiny")))
    with torch.no_grad():
        model.to_motion.weight *= 10  # so that a small motion shows through a video's coding
    save_model(model, made / "model")
    Image.fromarray(portrait()).save(made / "me.png")
    write_video(made / "talk.mp4", "face", seconds=1, fps=FPS, size_px=256, seed=5, audio=True)
    Image.fromarray(frame_at(made / "talk.mp4", 9 / FPS)).save(made / "turned.png")
    write_video(made / "two.mp4", "two_faces", seconds=0.2, size_px=256, seed=2)
    Image.fromarray(frame_at(made / "two.mp4", 0)[:, :511]).save(made / "two.png")
    Image.new("RGB", (64, 64), "gray").save(made / "blank.png")
    return made


@pytest.fixture(scope="module")
def animator(folder: Path) -> Animator:
    return Animator.from_pretrained(folder / "model", device="cpu", dtype="float32")


def shown(path: Path) -> list[Picture]:
    return [picture for _, picture in frames(path)]


def distance(one: list[Picture], other: list[Picture]) -> float:
    """Mean absolute difference, 0 to 255."""
    return float(np.abs(np.stack(one).astype(float) - np.stack(other)).mean())


def test_result_has_the_driving_videos_length_rate_and_sound(animator: Animator, folder: Path, tmp_path: Path) -> None:
    out, wide = tmp_path / "out.mp4", tmp_path / "wide.mp4"
    written = animator.animate(folder / "me.png", folder / "talk.mp4", out, side_by_side_out=wide)
    assert (written.frames, written.fps, written.width_px, written.height_px) == (FPS, FPS, 64, 64)
    result, compared = probe(out), probe(wide)
    assert (result.codec, result.width_px, result.height_px, result.fps) == ("h264", 64, 64, FPS)
    assert (compared.width_px, compared.height_px, compared.fps) == (768, 256, FPS)
    assert result.has_audio
    assert compared.has_audio
    assert len(shown(out)) == len(shown(wide)) == FPS


def test_a_motion_file_gives_the_same_video(animator: Animator, folder: Path, tmp_path: Path) -> None:
    options = {"controls": {3: 0.4, "4": -0.2}, "mode": "relative", "start_frame": "auto", "audio": None}
    animator.animate(folder / "me.png", folder / "talk.mp4", tmp_path / "video.mp4", **options)
    motion = animator.encode_motion(folder / "talk.mp4", tmp_path / "talk.motion")
    assert motion.coefficients_TM.shape == (FPS, 20)
    animator.render(folder / "me.png", tmp_path / "talk.motion", tmp_path / "file.mp4", **options)
    animator.render(folder / "me.png", motion, tmp_path / "memory.mp4", **options)
    wanted = shown(tmp_path / "video.mp4")
    for name in ("file", "memory"):
        assert distance(shown(tmp_path / f"{name}.mp4"), wanted) < 1


def test_the_motion_is_saved_on_the_way(animator: Animator, folder: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.motion"
    animator.animate(folder / "me.png", folder / "talk.mp4", tmp_path / "out.mp4", motion_out=saved)
    motion, alone = Motion.load(saved), animator.encode_motion(folder / "talk.mp4")
    np.testing.assert_array_equal(motion.coefficients_TM, alone.coefficients_TM)
    np.testing.assert_array_equal(motion.head_pose_T3, alone.head_pose_T3)
    assert (motion.fps, motion.space_id) == (alone.fps, alone.space_id)
    saved.unlink()
    for source, options in (("blank.png", {}), ("me.png", {"start_frame": 99}), ("me.png", {"controls": {"yaw": 1}})):
        with pytest.raises(UserError):
            animator.animate(
                folder / source, folder / "talk.mp4", tmp_path / "no.mp4", motion_out=tmp_path / "no.motion", **options
            )
    with pytest.raises(UserError, match=r"ends in \.motion"):
        animator.animate(folder / "me.png", folder / "talk.mp4", tmp_path / "no.mp4", motion_out=tmp_path / "no.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_another_models_motion_is_refused(animator: Animator, folder: Path, tmp_path: Path) -> None:
    animator.encode_motion(folder / "talk.mp4", tmp_path / "talk.motion")
    torch.manual_seed(1)
    save_model(LiaX(preset("tiny")), tmp_path / "other")
    other = Animator.from_pretrained(tmp_path / "other", "cpu")
    with pytest.raises(UserError, match=r"talk\.motion was measured by another model"):
        other.render(folder / "me.png", tmp_path / "talk.motion", tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()


def test_auto_starts_at_the_frame_with_the_portraits_pose(animator: Animator, folder: Path, tmp_path: Path) -> None:
    results = {}
    for start in ("auto", 0, 6, 9, 12):
        out = tmp_path / f"{start}.mp4"
        animator.animate(folder / "turned.png", folder / "talk.mp4", out, start_frame=start)
        results[start] = shown(out)
    assert distance(results["auto"], results[9]) < 1
    assert min(distance(results["auto"], results[start]) for start in (0, 6, 12)) > 2


def test_the_start_frame_shows_the_portrait_as_it_is(animator: Animator, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    animator.animate(folder / "me.png", folder / "talk.mp4", out, start_frame=4)
    own = animator.edit(folder / "me.png", None, {})
    distances = [np.abs(picture.astype(float) - own).mean() for picture in shown(out)]
    assert np.argmin(distances) == 4


def inside(square: Square) -> tuple[slice, slice]:
    """The middle half of a square."""
    quarter = square.side_px // 4
    return (
        slice(max(0, square.top_px) + quarter, square.top_px + square.side_px - quarter),
        slice(max(0, square.left_px) + quarter, square.left_px + square.side_px - quarter),
    )


def test_all_faces_move_in_the_whole_picture(animator: Animator, folder: Path, tmp_path: Path) -> None:
    source = load_picture(folder / "two.png")
    with FaceFinder() as finder:
        squares = open_portraits(folder / "two.png", 64, finder, "all").squares
    for face, changed in (("all", [True, True]), ("2", [False, True])):
        out = tmp_path / f"{face}.mp4"
        wide = tmp_path / "wide.mp4"
        written = animator.animate(
            folder / "two.png", folder / "talk.mp4", out, face=face, paste_back=True, side_by_side_out=wide
        )
        assert (written.width_px, written.height_px) == (510, 256)
        assert probe(wide).width_px == 256 * (2 * sum(changed) + 1)
        for picture in shown(out)[::7]:
            assert picture.shape == (256, 510, 3)
            for square, is_changed in zip(squares, changed, strict=True):
                difference = np.abs(picture[inside(square)].astype(float) - source[inside(square)]).mean()
                assert (difference > 15) == is_changed


def test_measured_controls_are_held_unless_told_otherwise(animator: Animator, folder: Path, tmp_path: Path) -> None:
    known = Animator(animator.renderer, Controls(20, file=controls_file()))
    (me,) = open_portraits(folder / "me.png", 64, None).pictures
    held, free, end, beyond = (
        next(known.frames(me, [me], controls=controls, unsafe=unsafe))
        for controls, unsafe in (({"yaw": 90}, False), ({"yaw": 90}, True), ({"0": 1.8}, False), ({"0": 9}, False))
    )
    np.testing.assert_array_equal(held, end)
    np.testing.assert_array_equal(free, beyond)
    assert np.abs(held.astype(int) - free).max() > 5
    source, driving, out = folder / "me.png", folder / "talk.mp4", tmp_path / "out.mp4"
    for write in (
        lambda unsafe: known.animate(source, driving, out, controls={"yaw": 900}, unsafe=unsafe),
        lambda unsafe: known.edit_video(driving, out, {"yaw": 900}, unsafe=unsafe),
        lambda unsafe: known.sweep(source, out, direction="yaw", span=(0, 900), frames=4, unsafe=unsafe),
    ):
        results = {}
        for unsafe in (False, True):
            write(unsafe)
            results[unsafe] = shown(out)
        assert distance(results[False], results[True]) > 2
    with pytest.raises(UserError, match="cannot do blink_left"):
        known.animate(source, driving, tmp_path / "no.mp4", controls={"blink_left": 1}, unsafe=True)
    assert not (tmp_path / "no.mp4").exists()


def test_edit_video_keeps_length_size_and_sound(animator: Animator, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    written = animator.edit_video(folder / "talk.mp4", out, {1: 0.5}, paste_back=True)
    assert (written.frames, written.fps, written.width_px, written.height_px) == (FPS, FPS, 256, 256)
    assert probe(out).has_audio
    assert len(shown(out)) == FPS


def test_sweep_looks_at_the_face(animator: Animator, folder: Path, tmp_path: Path) -> None:
    out, still = tmp_path / "out.mp4", tmp_path / "out.png"
    written = animator.sweep(folder / "me.png", out, direction=3, span=(0, 8), frames=4, still_out=still)
    assert (written.frames, written.width_px, written.height_px) == (4, 64, 64)
    assert load_picture(still).shape == (180, 800, 3)
    first = animator.edit(folder / "me.png", None, {})
    assert np.argmin([np.abs(picture.astype(float) - first).mean() for picture in shown(out)]) == 0


def test_other_sound_or_none(animator: Animator, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    for driving, audio, has_audio in (("talk", None, False), ("two", folder / "talk.mp4", True)):
        animator.animate(folder / "me.png", folder / f"{driving}.mp4", out, audio=audio)
        assert probe(out).has_audio == has_audio
    out.unlink()
    with pytest.raises(UserError, match="no sound"):
        animator.animate(folder / "me.png", folder / "talk.mp4", out, audio=folder / "two.mp4")
    assert list(tmp_path.iterdir()) == []


def test_without_crop_the_middle_is_taken(animator: Animator, tmp_path: Path) -> None:
    Image.new("RGB", (90, 60), "red").save(tmp_path / "p.png")
    write_video(tmp_path / "d.mp4", "no_face", seconds=0.2, size_px=96)
    written = animator.animate(tmp_path / "p.png", tmp_path / "d.mp4", tmp_path / "o.mp4", crop=False)
    assert written.frames == 5
    assert not probe(tmp_path / "o.mp4").has_audio


@pytest.mark.parametrize(("source", "driving", "options", "text"), [
    ("blank.png", "talk.mp4", {}, r"no face in .*blank\.png"),
    ("two.png", "talk.mp4", {}, r"2 faces in .*two\.png"),
    ("two.png", "talk.mp4", {"face": "3"}, r"no face number 3"),
    ("two.png", "talk.mp4", {"face": "all"}, r"paste-back"),
    ("me.png", "talk.mp4", {"mode": "other"}, r"relative or absolute"),
    ("me.png", "talk.mp4", {"start_frame": 99}, r"no frame 99"),
    ("me.png", "talk.mp4", {"start_frame": "auto", "crop": False}, r"no-crop"),
    ("me.png", "talk.mp4", {"controls": {"yaw": 1}}, r"no names"),
    ("talk.mp4", "talk.mp4", {}, r"talk\.mp4 is not a readable picture"),
    ("me.png", "me.png", {}, r"me\.png"),
    ("me.png", "absent.mp4", {}, "no such file"),
])  # fmt: skip
def test_bad_input_is_named_and_leaves_no_file(
    animator: Animator, folder: Path, tmp_path: Path, source: str, driving: str, options: dict, text: str
) -> None:
    with pytest.raises(UserError, match=text) as caught:
        animator.animate(folder / source, folder / driving, tmp_path / "out.mp4", **options)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def framed_pictures(folder: Path) -> list[Picture]:
    return [cut(picture, Square(64, 64, 128), 64) for picture in shown(folder / "talk.mp4")]


def test_frames_come_one_by_one(animator: Animator, folder: Path) -> None:
    portrait_SSC, *driving = framed_pictures(folder)
    taken = 0

    def camera() -> Iterator[Picture]:
        nonlocal taken
        for picture in driving:
            taken += 1
            yield picture

    results = animator.frames(portrait_SSC, camera(), controls={3: 0.4})
    for made in range(1, len(driving) + 1):
        assert next(results).shape == (64, 64, 3)
        assert taken == made
    assert next(results, None) is None


def test_frames_refuses_before_the_first_is_asked_for(animator: Animator, folder: Path) -> None:
    portrait_SSC, *driving = framed_pictures(folder)
    for options in ({"mode": "other"}, {"controls": {"yaw": 1}}):
        with pytest.raises(UserError):
            animator.frames(portrait_SSC, driving, **options)
    for wrong in (portrait_SSC[:32], portrait_SSC.astype(np.float32), portrait_SSC[..., 0]):
        with pytest.raises(UserError, match=r"the portrait is .*: give uint8 \(64, 64, 3\)"):
            animator.frames(wrong, driving)
        with pytest.raises(UserError, match="a driving picture is"):
            list(animator.frames(portrait_SSC, [driving[0], wrong]))


def test_wrong_names_are_refused_before_the_work(animator: Animator, folder: Path, tmp_path: Path) -> None:
    for call in (
        lambda: animator.edit(folder / "me.png", tmp_path / "o.gif", {}),
        lambda: animator.sweep(folder / "me.png", tmp_path / "o.mp4", still_out=tmp_path / "o.tif"),
        lambda: animator.encode_motion(folder / "talk.mp4", tmp_path / "o.bin"),
        lambda: animator.animate(folder / "me.png", folder / "talk.mp4", tmp_path / "o.avi"),
        lambda: animator.edit_video(folder / "talk.mp4", tmp_path / "o.avi", {1: 0.5}),
        lambda: animator.sweep(folder / "me.png", tmp_path / "o.avi"),
    ):
        with pytest.raises(UserError, match="ends in"):
            call()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match="no device tpu"):
        choose_device("tpu")
