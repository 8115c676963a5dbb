from pathlib import Path

import pytest

from liax.demo.folder import DemoFolder, DemoRequest
from liax.errors import UserError

MINE = DemoRequest(videos=None, portrait=None, steps=5)
OTHER = DemoRequest(videos="/videos", portrait=None, steps=5)


def test_the_same_request_continues_in_its_folder(tmp_path: Path) -> None:
    folder = DemoFolder(tmp_path / "demo")
    folder.claim(MINE)
    (folder.path / "result").write_text("mine")
    folder.claim(MINE)
    assert (folder.path / "result").read_text() == "mine"


def test_another_request_moves_earlier_results_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = DemoFolder(tmp_path / "demo")
    for number, request in enumerate([MINE, OTHER, MINE]):
        folder.claim(request)
        (folder.path / "result").write_text(str(number))
    assert [(tmp_path / name / "result").read_text() for name in ("demo-1", "demo-2", "demo")] == ["0", "1", "2"]
    assert f"it is now {tmp_path}/demo-2" in capsys.readouterr().out


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="holds other files"):
        DemoFolder(tmp_path).claim(MINE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
