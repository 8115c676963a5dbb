"""What is done for visitors, and what is left of it."""

from pathlib import Path

import pytest
from PIL import Image

from liax.errors import UserError
from liax.inference.animator import Animator
from liax.pictures import load_picture
from liax.synthetic.scenes import portrait
from liax.synthetic.videos import write_video
from liax.ui.config import Limits
from liax.ui.desk import Desk
from liax.ui.models import Models
from liax.ui.sources import Framing
from liax.ui.visitors import Tab, Visitors
from tests.liax.ui.measured_model import make_measured_model


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    Image.fromarray(portrait()).save(folder / "me.png")
    write_video(folder / "talk.mp4", "no_face", seconds=0.2, size_px=64)
    return folder


@pytest.fixture(scope="module")
def animator(tmp_path_factory: pytest.TempPathFactory) -> Animator:
    return Animator.from_pretrained(make_measured_model(tmp_path_factory.mktemp("models") / "measured"), "cpu")


@pytest.fixture
def desk(tmp_path: Path, animator: Animator) -> Desk:
    return Desk(Models(["measured"], lambda source: animator), Visitors(tmp_path, 60, 10**9), Limits())


@pytest.fixture
def owner(desk: Desk) -> Tab:
    tab = desk.visitors.tab(desk.visitors.greet(None).secret, "a", opening=True)
    assert tab is not None
    return tab


def framing(file: Path) -> Framing:
    return Framing(str(file), None, False, crop=False)


def test_what_was_not_followed_is_said_with_preview_and_file(desk: Desk, owner: Tab, files: Path) -> None:
    quiet = desk.preview(owner, "measured", framing(files / "me.png"), {"yaw": 5.0})
    assert quiet.notes == []
    preview = desk.preview(owner, "measured", framing(files / "me.png"), {"yaw": 30.0})
    assert any("yaw=30 is outside the safe range -20 to 16" in note for note in preview.notes)
    made = desk.save_picture(owner, "measured", framing(files / "me.png"), {"yaw": 30.0})
    assert made.notes == preview.notes
    assert load_picture(made.file).shape == preview.moved_HWC.shape
    assert list(owner.visitor.files) == [made.file.parent], "it counts with the uploads"
    assert desk.visitors.may_read(owner.visitor.secret, made.file)


@pytest.mark.parametrize("error", [RuntimeError("broken"), MemoryError(), UserError("no"), KeyboardInterrupt()])
def test_nothing_half_made_is_left(
    desk: Desk, owner: Tab, files: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(self: Animator, video: str, out: Path, *_: object, **__: object) -> None:
        out.write_bytes(b"half")
        raise error

    monkeypatch.setattr(Animator, "edit_video", fail)
    with pytest.raises(type(error)):
        desk.edit_video(owner, "measured", framing(files / "talk.mp4"), {"yaw": 5.0}, False, lambda stand: None)
    assert list(owner.visitor.folder.iterdir()) == []
    assert (owner.works, owner.visitor.files) == ({}, {})
