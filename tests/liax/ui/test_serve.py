"""How the page ends: with nothing left of it, whatever it was doing."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from liax.synthetic.scenes import portrait
from tests.chromium import chromium
from tests.liax.ui.browsing import Visit, address_of, serving, write_long_video
from tests.liax.ui.measured_model import make_unmeasured_model

pytest.importorskip("gradio", reason="needs Gradio: pip install 'liax[ui]'")

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def _hanging_up_is_heard() -> Iterator[None]:
    """Under nohup the tests, and what they start, would be deaf to SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_ends_while_a_video_is_made(tmp_path: Path, number: signal.Signals) -> None:
    Image.fromarray(portrait()).save(tmp_path / "me.png")
    write_long_video(tmp_path / "long.mp4")
    model = make_unmeasured_model(tmp_path / "model")
    with chromium() as browser, serving(tmp_path, "--model", model) as server:
        server.url = address_of(server.process, server.log)
        one = Visit(browser, server)
        one.upload_both(tmp_path / "me.png", tmp_path / "long.mp4")
        one.page.click("#animate-start")
        one.animating()
        server.wait_for_more([])
        server.process.send_signal(number)
        assert server.process.wait(60) in (128 + signal.SIGTERM, -signal.SIGTERM)
        one.context.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_ends_while_its_models_are_loaded(tmp_path: Path, number: signal.Signals) -> None:
    with serving(tmp_path, "--model", make_unmeasured_model(tmp_path / "model")) as server:
        while not list(tmp_path.glob("liax-ui-*")) and server.process.poll() is None:
            time.sleep(0.01)
        server.process.send_signal(number)
        assert server.process.wait(60) == 128 + signal.SIGTERM
        assert not list(tmp_path.glob("liax-ui-*"))
