"""The animate command: its files, and its refusals in one line."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from jobs import animate
from liax.errors import run_main
from liax.model.config import preset
from liax.model.network import LiaX
from liax.model.weights import save_model
from liax.synthetic.scenes import portrait
from liax.synthetic.videos import write_video
from liax.video.probe import probe


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    torch.manual_seed(0)
    save_model(LiaX(preset("tiny")).eval(), str(tmp_path / "model"))
    Image.fromarray(portrait()).save(tmp_path / "me.png")
    write_video(tmp_path / "talk.mp4", "face", seconds=0.4, size_px=192, audio=True)
    return ["-s", str(tmp_path / "me.png"), "-d", str(tmp_path / "talk.mp4"), "--model", str(tmp_path / "model")]


def test_command_writes_both_videos(inputs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, wide = tmp_path / "new" / "out.mp4", tmp_path / "wide.mp4"
    assert run_main(animate.run, [*inputs, "-o", str(out), "--side-by-side", str(wide)]) == 0
    assert probe(out).has_audio
    assert probe(wide).width_px == 3 * probe(wide).height_px
    assert "10 frames" in capsys.readouterr().out


@pytest.mark.parametrize(("change", "text"), [
    (["-o", "out.avi"], "ends in .mp4"),
    (["-o", "talk.mp4"], "named twice"),
    (["-o", "out.mp4", "-s", "absent.png"], "no such file: absent.png"),
    (["-o", "out.mp4", "--model", "nothing"], "nothing"),
    (["-o", "out.mp4", "--device", "tpu"], "no device tpu"),
])  # fmt: skip
def test_wrong_use_is_one_line_and_exit_code_2(
    inputs: list[str],
    change: list[str],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_main(animate.run, [*inputs, *change]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ")
    assert text in error
    assert "\n" not in error
    assert not (tmp_path / "out.mp4").exists()
