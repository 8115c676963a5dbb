"""A served page and its visitors, for tests in a browser."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from liax.synthetic.videos import write_video
from tests.conftest import ROOT

PATIENCE_MS = 60_000
STARTING_S = 240
LONG_FRAMES = 1152


def write_long_video(path: Path) -> None:
    """Of so many frames that no processor is through with them before a test has looked; only 4.8 seconds."""
    write_video(path, seconds=4.8, fps=240, size_px=128, seed=1)


@dataclass
class Server:
    url: str
    folder: Path
    log: Path
    process: subprocess.Popen

    def wait_for(self, files: list[Path]) -> None:
        """Wait until there are these files, and no others."""
        until_s = time.monotonic() + PATIENCE_MS / 1000
        while self.made() != files and time.monotonic() < until_s:
            time.sleep(0.2)
        assert self.made() == files

    def wait_for_more(self, files: list[Path]) -> None:
        """Wait until there are others than these: the work has begun to write."""
        until_s = time.monotonic() + PATIENCE_MS / 1000
        while self.made() == files and time.monotonic() < until_s:
            time.sleep(0.05)
        assert self.made() != files

    def made(self) -> list[Path]:
        """All files that were made for visitors, half-written ones too."""
        # Not by a glob with **: it fails on folders that vanish meanwhile.
        found = [os.walk(made) for made in self.folder.glob("liax-ui-*/made")]
        return sorted(Path(folder, name) for walk in found for folder, _, names in walk for name in names)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """The page that the command serves, until the block ends; nothing may be left of it then. Its address is not known
    yet, see `address_of`."""
    log = folder / "log.txt"
    command = [sys.executable, "-m", "jobs.main", "ui", "--port", "0", "--device", "cpu", *options]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=output, env={**os.environ, "TMPDIR": str(folder)}
        )
    try:
        yield Server("", folder, log, process)
    finally:
        process.terminate()
        process.wait(60)
    assert not list(folder.glob("liax-ui-*")), "its files go with it"
    assert "Traceback" not in log.read_text()


def address_of(process: subprocess.Popen, log: Path) -> str:
    """What a server that was started says it listens on."""
    until_s = time.monotonic() + STARTING_S
    while time.monotonic() < until_s and process.poll() is None:
        found = re.search(r"the page: (http://\S+/)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.2)
    raise AssertionError(f"the page did not start:\n{log.read_text()}")


class Visit:
    """One visitor's page. Fails at the end if another host was asked for anything."""

    def __init__(self, browser: Browser, server: Server, **options: Any) -> None:
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.server, self.outside = server, []
        self.page.on("request", self._note)
        self.page.goto(server.url)
        self.page.wait_for_selector("#animate-start")

    def _note(self, request: Any) -> None:
        if not request.url.startswith((self.server.url, "data:", "blob:")):
            self.outside.append(request.url)

    def tab(self, name: str) -> None:
        shown = self.page.get_by_role("tab", name=name)
        if shown.count() and shown.first.is_visible():
            shown.first.click()
        else:  # a narrow page has a menu for those that have no room
            self.page.locator(".overflow-menu button").first.click()
            self.page.locator(".overflow-dropdown button", has_text=name).click()
        # A moment later the page lays its tabs out anew.
        self.page.get_by_role("tab", name=name, selected=True).wait_for()

    def upload(self, where: str, file: Path) -> None:
        self.page.set_input_files(f"{where} input[type=file]", str(file))

    def upload_both(self, portrait: Path, driving: Path) -> None:
        """For the tab that animates, until both are there."""
        self.upload("#animate-portrait", portrait)
        self.upload("#animate-driving", driving)
        self.page.wait_for_selector("#animate-portrait img")
        self.page.wait_for_selector("#animate-driving video")

    def slide(self, name: str, share: float) -> None:
        """Take a slider's knob to a share of its way, and hold it."""
        slider = self.page.locator(f"#{name} input[type=range]")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        middle = box["y"] + box["height"] / 2
        self.page.mouse.move(box["x"] + box["width"] / 2, middle)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + box["width"] * share, middle, steps=3)

    def moved(self) -> str:
        """The preview as it is now, in its picture's own bytes."""
        return self.page.locator("#edit-preview img").nth(1).get_attribute("src")

    def wait_for_other(self, before: str) -> None:
        self.page.wait_for_function(
            "before => { const all = document.querySelectorAll('#edit-preview img');"
            " return all.length == 2 && all[1].src != before }",
            arg=before,
        )

    def open_picture(self, file: Path) -> None:
        self.tab("Edit picture")
        self.page.wait_for_selector("#edit-yaw")
        self.upload("#edit-portrait", file)
        self.page.wait_for_selector("#edit-preview img")

    def animating(self) -> str:
        """What is said of the progress, once frames are drawn: their motion was measured before."""
        return self.page.wait_for_selector("#animate-status :text-matches('animate: .*frames/s')").inner_text()

    def text(self, where: str, wanted: str) -> str:
        """The text of a part of the page, once it has what is wanted."""
        self.page.wait_for_selector(f"{where} :text('{wanted}')")
        return self.page.inner_text(where)
