"""What users get wrong: one line that begins with `error: `, exit code 2, and no file that was not there before."""

import re
from pathlib import Path

import pytest

from jobs.main import main
from tests.studio import MARK

ANIMATE = {"-s": "me.png", "-d": "talk.mp4", "-o": "out.mp4", "--model": "model"}
EDIT = {"-s": "me.png", "-o": "out.png", "--model": "model", "--set": "3=0.1"}
EDIT_VIDEO = {"-s": "talk.mp4", "-o": "out.mp4", "--model": "model", "--set": "3=0.1"}
SWEEP = {"-s": "me.png", "-o": "out.mp4", "--model": "model"}
USUAL = {"animate": ANIMATE, "edit": EDIT, "edit-video": EDIT_VIDEO, "sweep": SWEEP}
READS = ("-s", "-d", "--model", "--audio")
BAR = re.compile(r"(picture|frame)/s[\],]")


@pytest.fixture
def refused(
    studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> "Refused":
    monkeypatch.chdir(tmp_path)
    return Refused(studio, capfd)


class Refused:
    """Runs a command that must be refused, and returns the line that says so."""

    def __init__(self, studio: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.studio, self.capfd = studio, capfd

    def __call__(self, command: str, *more: str, without: str = "", **changes: str) -> str:
        """`changes` replace the usual options: `s="blank.png"` for `-s blank.png`."""
        options = dict(USUAL[command])
        options.update({f"-{name}" if len(name) == 1 else f"--{name}": value for name, value in changes.items()})
        options.pop(without, None)
        for name in READS:
            if name in options and (self.studio / options[name]).exists():
                options[name] = str(self.studio / options[name])
        arguments = [text for option in options.items() for text in option]
        before = self._files()
        assert main([command, *arguments, *more]) == 2
        assert self._files() == before
        error = self.capfd.readouterr().err
        (line,) = [part for part in re.split(r"[\r\n]+", error) if part.strip() and not BAR.search(part)]
        assert line.startswith("error: ")
        return line

    def _files(self) -> set[Path]:
        return {path for folder in (Path.cwd(), self.studio) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", ["animate", "edit", "sweep"])
@pytest.mark.parametrize(("source", "text"), [
    ("gone.png", "no such file: gone.png"),
    ("blank.png", r"no face in .*blank\.png: .*--no-crop"),
    ("two.png", r"2 faces in .*two\.png: .*--face"),
    ("talk.mp4", r"talk\.mp4 is not a readable picture; give a JPEG"),
    ("text.mp4", r"text\.mp4 is not a readable picture"),
    ("empty.mp4", r"empty\.mp4 is not a readable picture"),
])  # fmt: skip
def test_portraits(refused: Refused, command: str, source: str, text: str) -> None:
    assert re.search(text, refused(command, s=source))


@pytest.mark.parametrize(("command", "option"), [("animate", "d"), ("edit-video", "s")])
@pytest.mark.parametrize(("video", "text"), [
    ("gone.mp4", "no such file: gone.mp4"),
    ("blank.mp4", r"no face in .*blank\.mp4: "),
    ("text.mp4", r"text\.mp4: unreadable .*give a video"),
    ("empty.mp4", r"empty\.mp4 is an empty file: give a video"),
    ("cut.mp4", r"cut\.mp4: unreadable .*give a video"),
    ("no_length.mp4", r"no_length\.mp4 has no pictures: give a video"),
    ("sound.m4a", r"sound\.m4a has sound but no pictures: give a video"),
    ("sound.wav", r"sound\.wav has sound but no pictures: give a video"),
    ("sound.mp3", r"sound\.mp3 has sound but no pictures: give a video"),
    ("picture.mp4", r"picture\.mp4 is a picture, not a video: give a video"),
    ("me.png", r"me\.png is a picture, not a video: give a video"),
])  # fmt: skip
def test_videos(refused: Refused, command: str, option: str, video: str, text: str) -> None:
    assert re.search(text, refused(command, **{option: video}))


def test_several_people_in_a_video_to_edit(refused: Refused) -> None:
    assert re.search(r"2 faces in .*two\.mp4: .*--face", refused("edit-video", s="two.mp4"))


@pytest.mark.parametrize(("model", "text"), [
    ("gone", r"no model in gone: give a folder with model\.safetensors"),
    ("gone.pt", r"no such file: gone\.pt"),
    ("narrow", r"narrow/.*: decoder\.constant has shape \[1, 64, 4, 1\] instead of \[1, 64, 4, 4\]"),
    ("nameless", r"nameless/.*: decoder\.constant is missing"),
    ("shapes.pt", r"shapes\.pt: .*no matrix dec\.direction\.weight"),
    ("released.pt", r"released\.pt: .*: dec\.rgb2\.bias has shape \[1, 4, 1, 1\] instead of \[1, 3, 1, 1\]"),
    ("pickled.pt", r"pickled\.pt holds other things than tensors"),
    ("text.pt", r"text\.pt .*is no checkpoint"),
    ("models:/nobody@candidate", "there is no MLflow database"),
])  # fmt: skip
@pytest.mark.parametrize("command", ["animate", "sweep"])
def test_models(refused: Refused, command: str, model: str, text: str) -> None:
    assert re.search(text, refused(command, model=model))
    assert not Path(MARK).exists(), "a file's own code was run"


@pytest.mark.parametrize(("command", "without", "changes", "text"), [
    ("animate", "", {"o": "out.avi"}, r"out\.avi cannot be written: give a name that ends in \.mp4"),
    ("edit", "", {"o": "out.gif"}, r"ends in \.png or \.jpg"),
    ("sweep", "", {"o": "out.png"}, r"ends in \.mp4"),
    ("sweep", "", {"still": "grid.mp4"}, r"ends in \.png"),
    ("animate", "", {"save-motion": "m.mp4"}, r"ends in \.motion"),
    ("animate", "", {"side-by-side": "out.mp4"}, "named twice"),
    ("animate", "", {"o": "/proc/out.mp4"}, "/proc/out.mp4 cannot be written: nothing can be made in /proc"),
    ("edit", "", {"o": "/proc/new/out.png"}, "cannot be written: nothing can be made in /proc"),
    ("animate", "--model", {}, "no model: give --model or set LIAX_MODEL"),
    ("animate", "-d", {}, "required: -d/--driving; `liax animate --help`"),
    ("edit", "--set", {}, "required: --set"),
    ("animate", "", {"set": "yaw"}, "'yaw' is no setting: write NAME=VALUE"),
    ("edit", "", {"set": "3=much"}, "'3=much' is no setting"),
    ("edit", "", {"set": "3=nan"}, "'3=nan' is no setting"),
    ("edit", "", {"set": "=1"}, "'=1' is no setting"),
    ("animate", "", {"set": "smile=1"}, "no direction is called 'smile'"),
    ("edit", "", {"set": "40=1"}, "no direction 40: "),
    ("edit-video", "", {"set": "-1=1"}, "--set: expected one argument"),  # as all that begins with a dash
    ("sweep", "", {"direction": "smile"}, "no direction is called 'smile'"),
    ("sweep", "", {"frames": "1"}, "a loop of 1 frames cannot be"),
    ("edit-video", "", {"smooth": "-1"}, r"a smoothing over -1 s cannot be done: give 0 \(none\) to 0\.5 s"),
    ("animate", "", {"start-frame": "first"}, "neither auto nor a frame's number"),
    ("animate", "", {"start-frame": "1000"}, "has no frame 1000: give a start frame"),
    ("animate", "", {"face": "tallest"}, "unknown face 'tallest'"),
    ("animate", "", {"face": "all"}, "several results for one picture: add --paste-back"),
    ("sweep", "", {"face": "all"}, "several results for one picture: choose one face"),
    ("edit", "", {"face": "2"}, "no face number 2"),
    ("animate", "", {"audio": "gone.wav"}, "no such file: gone.wav"),
    ("animate", "", {"audio": "silent.mp4"}, "silent.mp4 has no sound"),
    ("edit-video", "", {"audio": "text.mp4"}, "text.mp4: unreadable .*give a file with sound"),
    ("animate", "", {"device": "tpu"}, "no device tpu"),
    ("animate", "", {"dtype": "int8"}, "invalid choice: 'int8'"),
    ("animate", "", {"d": "gone.motion"}, r"no such file: gone\.motion"),
])  # fmt: skip
def test_options(refused: Refused, command: str, without: str, changes: dict[str, str], text: str) -> None:
    assert re.search(text, refused(command, without=without, **changes))


def test_a_negative_direction(refused: Refused) -> None:
    assert "no direction -1: " in refused("edit-video", "--set=-1=1")


def test_a_result_never_replaces_what_it_is_made_from(refused: Refused, studio: Path) -> None:
    assert "named twice" in refused("animate", o=str(studio / "talk.mp4"))
    assert "named twice" in refused("edit", o=str(studio / "me.png"))
    (Path("link.mp4")).symlink_to(studio / "talk.mp4")
    assert "named twice" in refused("edit-video", o="link.mp4")


def test_a_folder_is_no_place_for_a_file_of_its_name(refused: Refused) -> None:
    Path("dir.mp4").mkdir()
    assert "it is a folder" in refused("animate", o="dir.mp4")
    Path("file").touch()
    assert re.search("file/out.png cannot be written: nothing can be made in .*file", refused("edit", o="file/out.png"))


def test_a_motion_has_no_pictures_and_no_sound(refused: Refused) -> None:
    Path("talk.motion").write_bytes(b"not a motion")
    for option in ("--side-by-side", "--save-motion"):
        reason = f"without pictures or sound: leave out {option}"
        assert reason in refused("animate", option, "wide.mp4", d="talk.motion")
    assert "without pictures or sound: leave out --audio" in refused("animate", d="talk.motion", audio="driving")
    assert "talk.motion is not a motion file" in refused("animate", d="talk.motion")


def test_an_older_result_survives_a_mistake(refused: Refused) -> None:
    Path("out.mp4").write_bytes(b"older")
    refused("animate", d="blank.mp4")
    refused("animate", s="blank.png")
    assert Path("out.mp4").read_bytes() == b"older"
