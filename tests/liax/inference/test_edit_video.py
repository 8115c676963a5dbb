"""Videos edited as a stream. The weights are random: what is tested is which codes are drawn, and everything around."""

import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from liax.errors import UserError
from liax.inference.edit_video import edit_video, edited
from liax.inference.renderer import Encoded, Renderer
from liax.inference.smoothing import gaussian
from liax.model.config import preset
from liax.model.network import LiaX
from liax.pictures import Picture
from liax.synthetic.videos import write_video
from liax.video.decode import frames
from liax.video.encode import VideoWriter
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import probe
from tests.click_and_flash import click_s, flash_s, write_click_and_flash


class Echo(Renderer):
    """Draws what it was shown, so that a result tells where it came from; it has no network."""

    def __init__(self, size_px: Literal[64, 256] = 64) -> None:
        self.device, self.batch, self.size_px, self.directions = "cpu", 4, size_px, 3

    def encode(self, pictures: Sequence[Picture]) -> Encoded:
        codes_B = torch.zeros(len(pictures), 3)
        return Encoded(codes_B, codes_B, [torch.from_numpy(np.stack(pictures))])

    def navigate(
        self, z_BD: Tensor, a_BM: Tensor, start_BM: Tensor | None = None, source_BM: Tensor | None = None
    ) -> Tensor:
        return z_BD

    def decode(self, z_BD: Tensor, features: Sequence[Tensor]) -> list[Picture]:
        assert len(z_BD) == len(features[0])
        return list(features[0].numpy())


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    torch.manual_seed(0)
    return Renderer(LiaX(preset("tiny")), "cpu", "float32")


@pytest.fixture(scope="module")
def delta(renderer: Renderer) -> np.ndarray:
    return np.random.default_rng(1).normal(size=renderer.directions).astype(np.float32)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("edit") / "two.mp4"
    write_video(path, "two_faces", seconds=0.6, size_px=256, seed=2, audio=True)
    return path


def noise(renderer: Renderer, count: int) -> list[Picture]:
    return list(np.random.default_rng(0).integers(0, 255, (count, renderer.size_px, renderer.size_px, 3), np.uint8))


def apart(one: Sequence[Picture], other: Sequence[Picture]) -> int:
    return max(int(np.abs(a.astype(int) - b).max()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("sigma_s", [0.0, 0.04])
def test_each_frame_is_drawn_from_its_own_pixels(renderer: Renderer, delta: np.ndarray, sigma_s: float) -> None:
    pictures, weights = noise(renderer, 11), gaussian(sigma_s, 25)
    seen = [renderer.encode([picture]) for picture in pictures]
    expected = []
    for place, own in enumerate(seen):
        reach = min(place, len(seen) - 1 - place, len(weights) - 1)
        around = [weights[abs(k)] * seen[place + k].z_BD for k in range(-reach, reach + 1)]
        z_1D = torch.stack(around).sum(0) / sum(weights[abs(k)] for k in range(-reach, reach + 1))
        a_1M = renderer.model.motion_coefficients(z_1D) + torch.from_numpy(delta)
        expected += renderer.decode(renderer.navigate(z_1D, a_1M), own.features)
    assert apart(list(edited(renderer, delta, pictures, weights=weights)), expected) <= 1


def test_from_first_every_frame_is_drawn_from_the_first(renderer: Renderer, delta: np.ndarray) -> None:
    pictures = noise(renderer, 6)
    first = renderer.encode(pictures[:1])
    basis_DM = renderer.model.dictionary()
    expected = []
    for picture in pictures:
        moved_M = renderer.motion([picture])[0] - first.motion_BM[0] + first.motion_BM[0] + torch.from_numpy(delta)
        expected += renderer.decode(first.z_BD + moved_M @ basis_DM.T, first.features)
    results = list(edited(renderer, delta, pictures, from_first=True))
    assert apart(results, expected) <= 1
    assert apart(results[:1], results[1:2]) > 1


def test_no_edit_of_a_still_video_gives_the_same_frame_again(renderer: Renderer) -> None:
    still = noise(renderer, 1) * 7
    nothing = np.zeros(renderer.directions, np.float32)
    for from_first in (False, True):
        results = list(edited(renderer, nothing, still, from_first=from_first, weights=gaussian(0.04, 25)))
        assert apart(results, results[:1] * 7) <= 1


@pytest.mark.parametrize("from_first", [False, True])
def test_frames_come_after_a_bounded_look_ahead(renderer: Renderer, delta: np.ndarray, from_first: bool) -> None:
    weights, taken = gaussian(0.04, 25), 0

    def counted() -> Iterator[Picture]:
        nonlocal taken
        for picture in noise(renderer, 24):
            taken += 1
            yield picture

    given_out = 0
    for given_out, _ in enumerate(edited(renderer, delta, counted(), from_first=from_first, weights=weights), 1):
        assert taken <= given_out + len(weights) - 1 + 2 * renderer.batch
    assert given_out == 24
    assert list(edited(renderer, delta, [], from_first=from_first)) == []


class Counting(Echo):
    """Keeps an eye on the features that it gave out."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[weakref.ref[Tensor]] = []

    def encode(self, pictures: Sequence[Picture]) -> Encoded:
        encoded = super().encode(pictures)
        self.given.append(weakref.ref(encoded.features[0]))
        return encoded


@pytest.mark.parametrize("sigma_s", [0.0, 0.5])
def test_features_do_not_wait_for_the_smoothing(sigma_s: float) -> None:
    """They are hundreds of times larger than the pictures that they come from."""
    renderer, most = Counting(), 0
    pictures = noise(renderer, 100)
    results = []
    for result in edited(renderer, np.zeros(3, np.float32), pictures, weights=gaussian(sigma_s, 25)):
        most = max(most, sum(given() is not None for given in renderer.given))
        results.append(result)
    assert apart(results, pictures) == 0
    assert most <= 3


def test_pasted_back_faces_lie_on_themselves_in_every_frame(two: Path, tmp_path: Path) -> None:
    """Results that equal what was cut out give the video again: the same place, and the same frame."""
    out, nothing = tmp_path / "out.mp4", np.zeros(3, np.float32)
    written = edit_video(Echo(256), nothing, two, out, face="all", paste_back=True)
    assert (written.frames, written.fps, written.width_px, written.height_px) == (15, 25, 512, 256)
    before, after = [[picture.astype(int) for _, picture in frames(path)] for path in (two, out)]
    assert len(before) == len(after) == 15
    for place, picture in enumerate(after):
        distance = [np.abs(picture - other).mean() for other in before]
        assert distance[place] < 3  # of 255; the codec alone gives 2.1, the next frame 5
        assert int(np.argmin(distance)) == place
    assert probe(out).has_audio


def test_only_the_chosen_face_changes(renderer: Renderer, delta: np.ndarray, two: Path, tmp_path: Path) -> None:
    for face, side in (("1", np.s_[:, :256]), ("2", np.s_[:, 256:])):
        edit_video(renderer, delta, two, tmp_path / "out.mp4", face=face, paste_back=True, from_first=face == "2")
        before, after = [[picture.astype(int) for _, picture in frames(path)] for path in (two, tmp_path / "out.mp4")]
        changed = np.abs(np.array(after) - before).mean(axis=(0, 3))
        whole = changed.sum()
        assert changed[side].sum() > 0.9 * whole
        assert changed[side].max() > 30


def test_without_pasting_back_the_result_is_the_models_size(
    renderer: Renderer, delta: np.ndarray, two: Path, tmp_path: Path
) -> None:
    written = edit_video(renderer, delta, two, tmp_path / "out.mp4", face="largest", audio=None)
    assert (written.frames, written.width_px, written.height_px) == (15, 64, 64)
    assert not probe(tmp_path / "out.mp4").has_audio


@pytest.mark.parametrize("turned", [False, True])
def test_size_rotation_and_sound_of_the_source_are_kept(tmp_path: Path, turned: bool) -> None:
    source, out = tmp_path / "source.mp4", tmp_path / "out.mp4"
    write_click_and_flash(tmp_path / "v.mp4", 0.4, [number / 25 for number in range(20)], (0.2, 0.8), (2001, 43))
    turn = ["-display_rotation", "90"] if turned else []
    run([ffmpeg_path(), "-v", "error", *turn, "-i", str(tmp_path / "v.mp4"), "-c", "copy", str(source)], source, 60)
    written = edit_video(Echo(), np.zeros(3, np.float32), source, out, crop=False, paste_back=True)
    assert (written.width_px, written.height_px) == ((42, 2000) if turned else (2000, 42))
    assert next(iter(frames(out)))[1].shape == (written.height_px, written.width_px, 3)
    assert click_s(out) == pytest.approx(flash_s(out), abs=0.04)
    assert flash_s(out) == pytest.approx(0.4, abs=0.04)


@pytest.mark.parametrize(("options", "text"), [
    ({}, "2 faces in .*choose with --face"),
    ({"face": "all"}, "--paste-back"),
    ({"face": "3"}, "no face number 3"),
    ({"face": "1", "crop": False}, "--no-crop"),
    ({"face": "3", "smooth_s": 0.6}, "smoothing over 0.6 s .*: give 0 .* to 0.5 s"),  # before faces are looked for
    ({"face": "1", "audio": "absent.wav"}, "no such file: absent.wav"),
])  # fmt: skip
def test_wrong_options_are_named_and_leave_no_file(
    renderer: Renderer, delta: np.ndarray, two: Path, tmp_path: Path, options: dict, text: str
) -> None:
    with pytest.raises(UserError, match=text) as caught:
        edit_video(renderer, delta, two, tmp_path / "out.mp4", **options)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


EDITS = """
import sys
import numpy as np, torch
from liax.errors import run_main
from liax.inference.edit_video import edit_video
from liax.inference.renderer import Renderer
from liax.model.config import preset
from liax.model.network import LiaX

def command(argv):
    renderer = Renderer(LiaX(preset("tiny")), "cpu", "float32")
    edit_video(renderer, np.ones(renderer.directions, np.float32), *argv, crop=False, paste_back=True)

sys.exit(run_main(command))
"""


def test_ctrl_c_leaves_the_edited_frames_so_far(tmp_path: Path) -> None:
    video, out = tmp_path / "long.mp4", tmp_path / "out" / "out.mp4"
    with VideoWriter(video, 64, 64, 25) as writer:
        for number in range(1000):
            writer.write(np.full((64, 64, 3), number % 250, np.uint8))
    process = subprocess.Popen(
        [sys.executable, "-c", EDITS, str(video), str(out)],
        stderr=subprocess.PIPE,
        start_new_session=True,  # a group of its own, which gets the signal as a terminal sends it
    )
    assert process.stderr is not None
    said = b""
    while (
        b"edit:" not in said or b" 0/1000" not in said or b"%" not in said.split(b" 0/1000")[-1]
    ):  # a frame is written
        said += process.stderr.read1()  # type: ignore[attr-defined]
        assert process.poll() is None, said
    os.killpg(process.pid, signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert rest.endswith(b"stopped by Ctrl-C\n")
    assert b"Traceback" not in said + rest
    assert [file.name for file in out.parent.iterdir()] == ["out.mp4"]
    assert 0 < len(list(frames(out))) < 1000
