"""Options whose defaults are those of the library, which a command line must not load to say them."""

import pytest

from jobs import edit_video, sweep
from liax.inference.edit_video import SMOOTH_S
from liax.inference.sweep import FRAMES


def test_defaults_are_the_librarys(capsys: pytest.CaptureFixture[str]) -> None:
    assert edit_video._parse(["-s", "a.mp4", "-o", "b.mp4", "--set", "3=1"]).smooth == SMOOTH_S
    assert sweep._parse(["-s", "a.png", "-o", "b.mp4"]).frames == FRAMES
    for parse, default in ((edit_video._parse, SMOOTH_S), (sweep._parse, FRAMES)):
        with pytest.raises(SystemExit):
            parse(["--help"])
        assert f"(default: {default})" in " ".join(capsys.readouterr().out.split())
