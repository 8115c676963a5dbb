"""One video's whole way, through the commands that a user gives: file, shards, model, registry, animation."""

import json
import re
from pathlib import Path

import av
import pytest
from PIL import Image

from jobs.main import main
from liax.synthetic.scenes import portrait
from liax.synthetic.videos import write_video

pytestmark = pytest.mark.timeout(900)

TRAINING = [
    "run_on=process",
    "batch=4",
    "steps=4",
    "model.preset=tiny",
    "loss.adversarial_start_step=2",
    "loss.perceptual=none",
]


def test_from_a_video_to_an_animation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MLflow's default database is made in the working folder
    for number in range(2):
        write_video(tmp_path / "videos" / f"{number}.mp4", seconds=1.6, size_px=256, seed=number, audio=True)
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"not a video")
    Image.fromarray(portrait()).save(tmp_path / "me.png")

    assert main(["preprocess", "input=videos", "output=shards", "clip.size_px=64", "split.val_fraction=0"]) == 0
    summary = json.loads((tmp_path / "shards" / "summary.json").read_text())
    assert summary["sources"] == 3
    assert summary["sources_by_result"] == {"kept": 2, "unreadable": 1}

    assert main(["train", "shards=shards", "output=run", *TRAINING]) == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["steps"] == 4

    assert main(["register", "run", "--name", "walk", "--alias", "candidate"]) == 0
    assert main(["pull", "models:/walk@candidate", "model"]) == 0
    command = ["animate", "-s", "me.png", "-d", "videos/0.mp4", "-o", "out.mp4", "--side-by-side", "wide.mp4"]
    assert main([*command, "--model", "model"]) == 0

    monkeypatch.setenv("LIAX_MODEL", "models:/walk@candidate")
    assert main(["edit", "-s", "me.png", "-o", "edited.jpg", "--set", "3=-0.2"]) == 0
    assert main(["edit-video", "-s", "videos/0.mp4", "-o", "edited.mp4", "--set", "3=0.2", "--paste-back"]) == 0
    assert main(["sweep", "-s", "me.png", "-o", "sweep.mp4", "--direction", "3", "--frames", "8"]) == 0
    with Image.open("edited.jpg") as edited:
        assert edited.size == (64, 64)
    assert Path("sweep.mp4").is_file()
    assert Path("sweep.grid.png").is_file()

    for name, size in (("out.mp4", (64, 64)), ("wide.mp4", (768, 256)), ("edited.mp4", (256, 256))):
        with av.open(str(tmp_path / name)) as container:
            (video,) = container.streams.video
            assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
            assert (video.width, video.height) == size
            assert video.average_rate == 25
            assert sum(1 for _ in container.decode(video)) == 40
            assert len(container.streams.audio) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "unknown command 'nonsense'; commands: demo, preprocess"),
        (["preprocess", "input=empty", "output=out"], "no video"),
        (["preprocess", "input=gone", "output=out"], "gone"),
        (["preprocess", "input=empty", "output=out", "clip.siz_px=1"], "unknown configuration key 'clip.siz_px'"),
        (["train", "shards=empty", "output=out"], "no committed shards under .*empty"),
        (["train", "shards=empty", "output=out", "model.preset=huge"], "huge"),
        (["register", "empty", "--name", "x"], "no complete checkpoint in .*empty"),
        (["pull", "models:/nobody@candidate", "out"], "there is no MLflow database .*register a model first"),
        (["animate", "-s", "gone.png", "-d", "gone.mp4", "-o", "out.mp4", "--model", "model"], "no such file: gone"),
        (["edit", "-s", "gone.png", "-o", "out.mp4", "--model", "model", "--set", "1=1"], "ends in .png"),
        (["edit-video", "-s", "gone.mp4", "-o", "out.mp4", "--model", "model", "--set", "yaw"], "no such file: gone"),
        (["sweep", "-s", "gone.png", "-o", "out.mp4"], "no model: give --model or set LIAX_MODEL"),
        (["demo", "--videos", "empty", "--output", "out"], "no video"),
        (["demo", "--portrait", "gone.png", "--output", "out"], "no such file: .*gone.png"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert re.search(message, line)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.mp4").exists()
