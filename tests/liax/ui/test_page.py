"""The page in a real browser, on the server that the command starts."""

import os
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser

from liax.pictures import load_picture
from liax.synthetic.scenes import portrait
from liax.synthetic.videos import write_video
from liax.video.probe import frame_table
from tests.chromium import chromium
from tests.liax.ui.browsing import LONG_FRAMES, Server, Visit, address_of, serving, write_long_video
from tests.liax.ui.measured_model import make_measured_model, make_unmeasured_model

pytest.importorskip("gradio", reason="needs Gradio: pip install 'liax[ui]'")

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What visitors upload."""
    folder = tmp_path_factory.mktemp("files")
    Image.fromarray(portrait()).save(folder / "me.png")
    Image.fromarray(portrait()[:, ::-1]).save(folder / "other.png")
    Image.new("RGB", (96, 96), "gray").save(folder / "blank.png")
    (folder / "text.png").write_text("this is no picture")
    (folder / "text.mp4").write_text("this is no video")
    (folder / "big.png").write_bytes(os.urandom(3_000_000))
    write_video(folder / "talk.mp4", seconds=0.4, size_px=192, audio=True)
    write_long_video(folder / "long.mp4")
    write_video(folder / "too_long.mp4", "no_face", seconds=6, fps=5, size_px=64)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    models = [make_measured_model(folder / "measured"), make_unmeasured_model(folder / "plain")]
    (folder / "atlas").mkdir()
    (folder / "atlas" / "index.html").write_text("<h1>Atlas of a test</h1>")
    (folder / "atlas" / "response.npz").write_text("numbers")
    (folder / "secret.html").write_text("not of the atlas")
    (folder / "atlas" / "link.html").symlink_to(folder / "secret.html")
    named = [part for model in models for part in ("--model", model)]
    with serving(folder, "--max-mb", "2", "--max-seconds", "5", "--atlas", str(folder / "atlas"), *named) as found:
        found.url = address_of(found.process, found.log)
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def visit(browser: Browser, server: Server) -> Iterator[Any]:
    visits: list[Visit] = []

    def opening(**options: Any) -> Visit:
        visits.append(Visit(browser, server, **options))
        return visits[-1]

    yield opening
    for one in visits:
        one.context.close()
        assert one.outside == [], "asked of other hosts"


def test_sliding_moves_the_picture_at_once(visit: Any, files: Path, tmp_path: Path) -> None:
    one = visit()
    one.open_picture(files / "me.png")
    still = one.moved()
    one.slide("edit-yaw", 0.9)
    one.wait_for_other(still)  # while the knob is still held
    one.page.mouse.up()
    assert one.page.locator("#edit-yaw input[type=number]").input_value() not in ("0", "")
    with one.page.expect_download() as begun:
        one.page.click("#edit-download")
    begun.value.save_as(tmp_path / begun.value.suggested_filename)
    assert begun.value.suggested_filename == "edited.png"
    assert load_picture(tmp_path / "edited.png").shape == (128, 128, 3)
    one.page.click("#edit-reset")
    one.page.wait_for_function("before => document.querySelectorAll('#edit-preview img')[1].src == before", arg=still)
    assert one.page.locator("#edit-yaw input[type=number]").input_value() == "0"


def test_sliders_say_unit_range_and_status(visit: Any) -> None:
    one = visit()
    one.tab("Edit picture")
    yaw = one.page.locator("#edit-yaw")
    yaw.wait_for()
    assert "yaw (degrees)" in yaw.inner_text()
    assert "it moves · ±0.8°" in yaw.inner_text()
    assert yaw.locator("input[type=range]").get_attribute("min") == "-20"
    assert yaw.locator("input[type=range]").get_attribute("max") == "16"
    assert "certified" in (yaw.get_attribute("class") or "")
    assert "approximate" in (one.page.locator("#edit-mouth_open").get_attribute("class") or "")
    assert one.page.locator("#edit-blink_left").count() == 0
    one.page.locator(".cannot summary").first.click()
    assert "blink left nothing moves it" in one.page.locator(".cannot").first.inner_text()


def test_another_models_sliders_take_their_place(visit: Any) -> None:
    one = visit()
    one.tab("Edit picture")
    one.page.wait_for_selector("#edit-yaw")
    one.page.click("#model input")
    one.page.get_by_role("option", name="plain").click()
    one.page.wait_for_selector("#edit-17")
    assert one.page.locator("#edit-yaw").count() == 0
    assert "direction 17" in one.page.inner_text("#edit-17")


def test_a_portrait_is_animated_and_downloaded(visit: Any, files: Path, tmp_path: Path) -> None:
    one = visit()
    one.upload_both(files / "me.png", files / "talk.mp4")
    one.page.click("#animate-start")
    assert "10 frames of 128×128 pixels at 25 a second" in one.text("#animate-status", "Done")
    with one.page.expect_download() as begun:
        one.page.click("#animate-download")
    begun.value.save_as(tmp_path / begun.value.suggested_filename)
    assert begun.value.suggested_filename == "animation.mp4"
    assert len(frame_table(tmp_path / "animation.mp4")[0]) == 10
    one.page.locator("#animate-cancel").wait_for(state="hidden")


def test_progress_and_cancel(visit: Any, files: Path, server: Server) -> None:
    before = server.made()
    one = visit()
    one.upload_both(files / "me.png", files / "long.mp4")
    one.page.click("#animate-start")
    assert re.search(rf"animate: \d+ of {LONG_FRAMES} frames, [\d.]+ frames/s", one.animating())
    one.page.click("#animate-cancel")
    assert "Nothing was kept" in one.text("#animate-status", "Cancelled")
    assert one.page.locator("#animate-start").is_enabled()
    server.wait_for(before)
    one.page.click("#animate-start")  # what was cancelled does not hold the next one up
    one.animating()
    one.page.click("#animate-cancel")
    one.text("#animate-status", "Cancelled")
    server.wait_for(before)  # the page says so before its file is gone, and the next test counts files


def test_the_work_of_whoever_leaves_ends(visit: Any, files: Path, server: Server) -> None:
    before = server.made()
    one = visit()
    one.upload_both(files / "me.png", files / "long.mp4")
    one.page.click("#animate-start")
    one.animating()
    server.wait_for_more(before)
    one.page.close()
    server.wait_for(before)


def test_a_video_is_edited(visit: Any, files: Path) -> None:
    one = visit()
    one.tab("Edit video")
    one.page.wait_for_selector("#video-yaw")
    one.upload("#video-source", files / "talk.mp4")
    one.page.wait_for_selector("#video-source video")
    one.slide("video-yaw", 0.8)
    one.page.mouse.up()
    one.page.click("#video-start")
    assert "10 frames" in one.text("#video-status", "Done")
    one.page.wait_for_selector("#video-result video")


def test_the_dictionary_is_explored_with_an_example(visit: Any, server: Server) -> None:
    one = visit()
    one.tab("Explore dictionary")
    one.page.click("#explore-example")
    one.page.wait_for_selector("#explore-portrait img")
    one.page.click("#explore-start")
    one.page.wait_for_selector("#explore-found .strip")
    strips = one.page.locator("#explore-found .strip")
    assert [strips.nth(place).locator("h4").inner_text() for place in range(strips.count())] == [
        "yaw (degrees)",
        "mouth open",
    ]
    captions = strips.first.locator("figcaption")
    assert [captions.nth(place).inner_text() for place in (0, 3, 6)] == ["-20°", "0°", "+16°"]
    with one.context.expect_page() as opened:
        one.page.click("#explore-atlas a")
    assert opened.value.inner_text("h1") == "Atlas of a test"
    assert one.context.request.get(f"{server.url}atlas/response.npz").status == 404


@pytest.mark.parametrize("name", ["..%2fsecret.html", "../secret.html", "link.html", "%2e%2e/secret.html"])
def test_nothing_beside_the_atlas_is_shown(server: Server, name: str) -> None:
    connection = HTTPConnection(server.url.split("/")[2])  # browsers mend such addresses before they ask
    connection.request("GET", f"/atlas/{name}")
    answer = connection.getresponse()
    assert answer.status == 404
    assert b"not of the atlas" not in answer.read()
    connection.request("GET", "/atlas/index.html")
    assert connection.getresponse().status == 200


def test_two_visitors_do_not_get_each_others_files(visit: Any, files: Path) -> None:
    one, other = visit(), visit()
    one.open_picture(files / "me.png")
    other.open_picture(files / "other.png")
    stills = [one.moved(), other.moved()]
    one.slide("edit-yaw", 0.9)
    other.slide("edit-yaw", 0.1)
    for visitor, still in zip((one, other), stills, strict=True):
        visitor.wait_for_other(still)
        visitor.page.mouse.up()
    assert one.moved() != other.moved()

    address = one.page.locator("#edit-portrait img").get_attribute("src")
    path = address.split("file=")[1]
    own = one.context.request.get(address)
    assert own.status == 200
    assert Image.open(BytesIO(own.body())).size == (512, 512)
    refused = other.context.request.get(address)
    assert refused.status == 403
    assert path not in refused.text()
    stolen = {"path": path, "meta": {"_type": "gradio.FileData"}}
    for fn_index in range(3):
        message = {"data": [stolen], "fn_index": fn_index, "session_hash": "theirs"}
        joined = other.context.request.post(f"{other.server.url}gradio_api/queue/join", data=message)
        assert joined.status == 403
    assert address not in other.page.content()


@pytest.mark.parametrize(
    ("name", "said"),
    [("text.png", "text.png is not a readable picture"), ("blank.png", "no face in blank.png: choose another file")],
)
def test_wrong_pictures(visit: Any, files: Path, server: Server, name: str, said: str) -> None:
    one = visit()
    one.tab("Edit picture")
    one.page.wait_for_selector("#edit-yaw")
    one.upload("#edit-portrait", files / name)
    shown = one.text("#edit-preview", said)
    assert str(server.folder) not in shown
    assert "Traceback" not in one.page.content()


@pytest.mark.parametrize(
    ("name", "said"), [("text.mp4", "give a video that shows a face"), ("too_long.mp4", "give one of at most 5 s")]
)
def test_wrong_videos(visit: Any, files: Path, server: Server, name: str, said: str) -> None:
    one = visit()
    one.upload_both(files / "me.png", files / name)
    one.page.click("#animate-start")
    shown = one.text("#animate-status", said)
    assert str(server.folder) not in shown
    one.page.wait_for_selector("#animate-start:not([disabled])")


def test_no_file_and_a_file_that_is_too_large(visit: Any, files: Path) -> None:
    one = visit()
    one.page.click("#animate-start")
    one.text("#animate-status", "no file yet: choose one first")
    one.upload("#animate-portrait", files / "big.png")
    one.page.wait_for_selector("text=/maximum|larger|exceed/i")
    assert one.page.locator("#animate-portrait img").count() == 0


def test_on_a_phone_nothing_is_wider_than_the_screen(visit: Any, files: Path) -> None:
    one = visit(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    for name in ("Animate", "Edit picture", "Edit video", "Explore dictionary"):
        one.tab(name)
        assert one.page.evaluate("document.documentElement.scrollWidth") <= 390, name
    one.open_picture(files / "me.png")
    assert one.page.evaluate("document.documentElement.scrollWidth") <= 390
    one.page.locator("#edit-reset").scroll_into_view_if_needed()
    box = one.page.locator("#edit-preview").bounding_box()
    assert 0 <= box["y"] < 400, "the preview stays in sight"
