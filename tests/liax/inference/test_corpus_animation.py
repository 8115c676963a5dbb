"""Real portraits and a real video through the commands. The weights are random: size, rate, length, sound, orientation
and place of the results are what is tested, by reading the files that were written."""

import csv
import math
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from jobs.main import main
from liax.crop import Square
from liax.face import FaceFinder
from liax.inference.framing import choose_faces, face_square, middle_square
from liax.model.config import preset
from liax.model.network import LiaX
from liax.model.weights import save_model
from liax.pictures import Picture, load_picture
from liax.video.cut import cut_clip
from liax.video.decode import frame_at, frames
from liax.video.ffmpeg import ffmpeg_path, run
from liax.video.probe import frame_table, probe
from tests.conftest import SHARED

pytestmark = pytest.mark.slow

DRIVING = "v042.mp4"
"""Three seconds, 23.976 frames a second, with sound."""
SOUND_RATE_HZ = 8000
WITHOUT_A_FACE = ("p07.jpg", "p08.jpg")
"""Of people, that is: they show alpacas."""


def portraits() -> list[str]:
    """The portraits' paths in the corpus; none where there is no corpus."""
    table = SHARED / "corpus" / "portraits.csv"
    if not table.is_file():
        return []
    with table.open(newline="") as lines:
        return [row["file"] for row in csv.DictReader(lines)]


PORTRAITS = portraits()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An untrained model's folder."""
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    save_model(LiaX(preset("tiny")).eval(), str(folder))
    return str(folder)


@pytest.fixture(scope="module")
def driving(corpus: Path) -> Path:
    return corpus / "videos" / DRIVING


def cut_short(video: Path, out: Path, frames: int) -> None:
    """The first frames of a video's middle square, with their sound."""
    info = probe(video)
    square = middle_square(info.width_px, info.height_px)
    place = (square.left_px, square.top_px, square.side_px)
    settings = {"size_px": 256, "crf": 18, "keyframe_interval": 8}
    cut_clip(video, out, info, start_s=0, frames=frames, fps=24, square_px=place, **settings)


@pytest.fixture(scope="module")
def short(driving: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("short") / "short.mp4"
    cut_short(driving, out, frames=10)
    return out


def frames_at(path: Path, fps: Fraction) -> int:
    """How many frames a video has at a constant rate."""
    return math.floor(frame_table(path)[0][-1] * fps + Fraction(1, 2)) + 1


def sound_of(path: Path) -> NDArray[np.float32]:
    """The sound, one channel at SOUND_RATE_HZ."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=SOUND_RATE_HZ)
        parts = [part.to_ndarray()[0] for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate(parts)


def lag_s(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """By how much the first sound comes later than the second."""
    length = min(len(one), len(other))
    spectrum = np.fft.rfft(one[:length], 2 * length) * np.conj(np.fft.rfft(other[:length], 2 * length))
    place = int(np.argmax(np.fft.irfft(spectrum)))
    return (place if place < length else place - 2 * length) / SOUND_RATE_HZ


def check_like(out: Path, driving: Path) -> None:
    """Rate, length and sound are the driving video's."""
    result, wanted = probe(out), probe(driving)
    assert (result.codec, result.container.split(",")[0]) == ("h264", "mov")
    assert abs(float(result.fps / wanted.fps) - 1) < 1e-4
    times_s = frame_table(out)[0]
    assert len(times_s) == frames_at(driving, wanted.fps)
    assert np.diff(times_s).max() - np.diff(times_s).min() < 2e-3, "a constant rate"
    assert result.has_audio == wanted.has_audio
    if wanted.has_audio:
        made, given = sound_of(out), sound_of(driving)
        assert abs(lag_s(made, given)) < 0.005
        assert len(made) / SOUND_RATE_HZ < len(times_s) / float(result.fps) + 0.1


def check_pasted(canvas: Picture, source: Picture, square: Square) -> None:
    """A canvas that shows its source but for the square, where it does not."""
    assert canvas.shape == source.shape
    inside = np.zeros(canvas.shape[:2], dtype=bool)
    left, top, side = square.left_px, square.top_px, square.side_px
    inside[max(0, top) : top + side, max(0, left) : left + side] = True
    margin = side // 4
    middle = np.zeros_like(inside)
    middle[max(0, top + margin) : top + side - margin, max(0, left + margin) : left + side - margin] = True
    difference = np.abs(canvas.astype(int) - source).mean(axis=2)
    assert difference[middle].mean() > 10, "the untrained model's picture"
    if not inside.all():
        # H.264 blurs fine detail, so the mean over 16 px is compared.
        coarse = cv2.blur(np.abs(cv2.blur(canvas, (16, 16)).astype(float) - cv2.blur(source, (16, 16))), (1, 1))
        apart = cv2.erode((~inside).astype(np.uint8), np.ones((33, 33), np.uint8)).astype(bool)
        assert not apart.any() or coarse.mean(axis=2)[apart].max() < 8


def square_of(source: Picture, option: str) -> Square:
    if option == "--no-crop":
        return middle_square(source.shape[1], source.shape[0])
    with FaceFinder() as finder:
        return face_square(*choose_faces(finder.find(source), None, ""), source)


@pytest.mark.parametrize("portrait", PORTRAITS)
def test_portraits(
    corpus: Path, short: Path, model: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], portrait: str
) -> None:
    path, out = corpus / portrait, tmp_path / "out.mp4"
    option = "--relative" if path.suffix == ".jpg" else "--absolute"
    usual = ["animate", "-s", str(path), "-d", str(short), "-o", str(out), "--model", model, "--paste-back"]
    if path.name in WITHOUT_A_FACE:
        assert main(usual) == 2
        assert f"error: no face in {path}: choose another file, or use --no-crop" in capfd.readouterr().err
        assert not out.exists()
        option = "--no-crop"
    assert main([*usual, option]) == 0
    check_like(out, short)
    source = load_picture(path)
    source = source[: source.shape[0] // 2 * 2, : source.shape[1] // 2 * 2]
    for time_s in (0.0, 0.3):
        check_pasted(frame_at(out, time_s), source, square_of(source, option))


def test_a_whole_video(corpus: Path, driving: Path, model: str, tmp_path: Path) -> None:
    names = ["-s", str(corpus / "portraits" / "p01.jpg"), "-d", str(driving), "-o", str(tmp_path / "out.mp4")]
    assert main(["animate", *names, "--model", model]) == 0
    check_like(tmp_path / "out.mp4", driving)
    assert (probe(tmp_path / "out.mp4").width_px, probe(tmp_path / "out.mp4").height_px) == (64, 64)


def test_the_base_model_at_its_own_size(corpus: Path, driving: Path, tmp_path: Path) -> None:
    save_model(LiaX(preset("base")).eval(), str(tmp_path / "model"))
    cut_short(driving, tmp_path / "short.mp4", frames=3)
    names = ["-s", str(corpus / "portraits" / "p01.jpg"), "-d", str(tmp_path / "short.mp4")]
    assert main(["animate", *names, "-o", str(tmp_path / "out.mp4"), "--model", str(tmp_path / "model")]) == 0
    check_like(tmp_path / "out.mp4", tmp_path / "short.mp4")
    assert {picture.shape for _, picture in frames(tmp_path / "out.mp4")} == {(512, 512, 3)}


def test_a_turned_photograph(corpus: Path, driving: Path, model: str, tmp_path: Path) -> None:
    with Image.open(corpus / "portraits" / "p06.jpg") as upright:
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown turned by 90° clockwise
        upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
        upright.save(tmp_path / "upright.png")
    for name in ("turned", "upright"):
        arguments = ["-s", str(tmp_path / f"{name}.png"), "-o", str(tmp_path / f"{name}.out.png"), "--paste-back"]
        assert main(["edit", *arguments, "--model", model, "--set", "3=0.3"]) == 0
    results = [load_picture(tmp_path / f"{name}.out.png") for name in ("turned", "upright")]
    assert results[0].shape == results[1].shape == (500, 375, 3)
    assert np.array_equal(*results)


def turned_and_uneven(video: Path, out: Path) -> None:
    """The first two seconds, stored lying on their side with the note to turn them back; some frames are left out."""
    lying = out.with_name("lying.mp4")
    filters = "select='not(eq(mod(n,3),2)*gt(mod(n,30),15))',transpose=clock"
    encode = ["-t", "2", "-i", str(video), "-vf", filters, "-fps_mode", "vfr", "-crf", "12", "-c:a", "copy", str(lying)]
    run([ffmpeg_path(), "-v", "error", *encode], lying, 120)
    note = ["-display_rotation", "90", "-i", str(lying), "-c", "copy", str(out)]
    run([ffmpeg_path(), "-v", "error", *note], out, 120)


def test_a_turned_video_of_uneven_rate(corpus: Path, model: str, tmp_path: Path) -> None:
    upright = corpus / "videos" / "v043.mp4"
    turned, out, wide = (tmp_path / f"{name}.mp4" for name in ("turned", "out", "wide"))
    turned_and_uneven(upright, turned)
    assert probe(turned).variable_rate

    arguments = ["-s", str(turned), "-o", str(out), "--model", model, "--set", "3=0.3", "--paste-back"]
    assert main(["edit-video", *arguments]) == 0
    check_like(out, turned)
    assert (probe(out).width_px, probe(out).height_px) == (1280, 720)
    for time_s in (0.0, 0.5, 1.5):  # the corners are the upright video's own, at the same moment
        made, given = frame_at(out, time_s), frame_at(upright, time_s)
        for corner in np.s_[:48, :48], np.s_[:48, -48:], np.s_[-48:, :48], np.s_[-48:, -48:]:
            assert np.abs(made[corner].astype(int) - given[corner]).mean() < 6

    Image.fromarray(frame_at(upright, 0)).save(tmp_path / "me.png")
    arguments = ["-s", str(tmp_path / "me.png"), "-d", str(turned), "-o", str(out), "--side-by-side", str(wide)]
    assert main(["animate", *arguments, "--model", model]) == 0
    check_like(wide, turned)
    portrait, seen, _ = np.split(next(frames(wide))[1].astype(float), 3, axis=1)
    alike = [np.corrcoef(portrait.ravel(), np.rot90(seen, turns).ravel())[0, 1] for turns in range(4)]
    assert np.argmax(alike) == 0, "the driving video is seen upright"
    assert alike[0] > 0.5
