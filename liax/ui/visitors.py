"""Who is on the page, and whose files are whose. Nobody gets another's.

A visitor is a browser, known by a secret in a cookie; a tab of it is what Gradio calls a session. Gradio itself serves
any uploaded file to whoever knows its path, which is a hash of its content; so everything that asks for a file passes
`Visitors.may_read` first (see `liax.ui.guard`).
"""

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from liax.ui.work import Work

LONGEST_IDLE_S = 24 * 3600.0
"""After that a page of which nothing was heard counts as left, whether or not it said so. Our choice."""
BROKEN_OFF_S = 600.0
"""Of an upload that did not grow for so long, nobody is waiting. Our choice."""


@dataclass(slots=True)
class Tab:
    """One page of a visitor.

    Args:
        name: what Gradio calls it.
        works: what is under way for it, by the part of the page that shows it.
    """

    visitor: "Visitor"
    name: str
    works: dict[str, Work] = field(default_factory=dict)

    @contextmanager
    def working(self, name: str, work: Work) -> Iterator[Work]:
        """In the block the work is this page's. What the same part of the page began before ends."""
        self.cancel(name)
        self.works[name] = work
        try:
            yield work
        finally:
            if self.works.get(name) is work:
                del self.works[name]

    def cancel(self, name: str) -> None:
        """End what that part of the page began."""
        work = self.works.get(name)
        if work is not None:
            work.cancel()

    def cancel_all(self) -> None:
        """End whatever is under way."""
        for work in list(self.works.values()):
            work.cancel()


@dataclass(slots=True)
class Visitor:
    """One browser.

    Args:
        secret: what its cookie says.
        folder: for what the page makes for it.
        files: its uploaded files and folders of results, and their sizes in bytes, the oldest first.
        seen_s: when it was last heard of, by the monotonic clock.
    """

    secret: str
    folder: Path
    files: dict[Path, int] = field(default_factory=dict)
    tabs: dict[str, Tab] = field(default_factory=dict)
    seen_s: float = 0.0


class Visitors:
    """All visitors. Safe to use from several threads.

    Args:
        root: a folder for all files of the page, and of nobody else.
        kept_s: how long files outlive their visitor's last tab.
        most_bytes: of one visitor's uploads and results together; the oldest make room for new ones.
        clock: monotonic seconds.
    """

    def __init__(self, root: Path, kept_s: float, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._root, self._kept_s, self._most_bytes, self._clock = root, kept_s, most_bytes, clock
        self._public = root / "examples"
        self._visitors: dict[str, Visitor] = {}
        self._tabs: dict[str, Tab] = {}
        self._lock = threading.Lock()

    def greet(self, secret: str | None) -> Visitor:
        """The visitor with that cookie, or a new one."""
        with self._lock:
            visitor = self._visitors.get(secret or "")
            if visitor is None:
                secret = secrets.token_urlsafe(32)
                # Not the secret: the folder's name is in the addresses of files, which people pass on.
                visitor = Visitor(secret, self._root / "made" / secrets.token_urlsafe(16))
                self._visitors[secret] = visitor
            visitor.seen_s = self._clock()
            return visitor

    def tab(self, secret: str | None, name: str, *, opening: bool = False) -> Tab | None:
        """The visitor's tab of that name; None for an unknown visitor, another's tab, or one that is not open.

        Args:
            opening: one that nobody has is opened.
        """
        with self._lock:
            visitor, tab = self._visitors.get(secret or ""), self._tabs.get(name)
            if visitor is None or (tab is not None and tab.visitor is not visitor):
                return None
            visitor.seen_s = self._clock()
            if tab is None and opening:
                tab = Tab(visitor, name)
                self._tabs[name] = visitor.tabs[name] = tab
            return tab

    def close_tab(self, name: str) -> None:
        """A tab was closed: its work ends. Its visitor's files wait a while, for whoever comes back."""
        with self._lock:
            tab = self._tabs.pop(name, None)
            if tab is None:
                return
            tab.visitor.tabs.pop(name, None)
            tab.visitor.seen_s = self._clock()
        tab.cancel_all()

    def end(self, patience_s: float) -> None:
        """End everybody's work, because the page ends; wait so long for it to put its files away."""
        until_s = time.monotonic() + patience_s
        while works := [work for tab in list(self._tabs.values()) for work in list(tab.works.values())]:
            for work in works:
                work.cancel()
            if time.monotonic() >= until_s:
                return
            time.sleep(0.05)

    def claim(self, visitor: Visitor, file: Path) -> None:
        """An uploaded file is this visitor's (and whoever's else who uploaded the same), or a finished folder.

        What is oldest makes room, if there is not enough.
        """
        with self._lock:
            visitor.files.pop(file, None)
            visitor.files[file] = _size(file)
            while len(visitor.files) > 1 and sum(visitor.files.values()) > self._most_bytes:
                self._drop(visitor, next(iter(visitor.files)))

    def may_read(self, secret: str | None, file: Path) -> bool:
        """Whether a visitor may have a file: its own, uploaded or made for it, or an example."""
        with self._lock:
            visitor = self._visitors.get(secret or "")
            if visitor is None:
                return False
            file = Path(file).resolve()
            return file in visitor.files or any(
                file.is_relative_to(folder.resolve()) for folder in (visitor.folder, self._public)
            )

    def new_folder(self, visitor: Visitor) -> Path:
        """An empty folder for one result of a visitor; claim it when it is finished."""
        folder = visitor.folder / secrets.token_urlsafe(8)
        folder.mkdir(parents=True)
        return folder

    def tidy(self) -> None:
        """Remove the files of those who left, and what is left of uploads that were broken off."""
        with self._lock:
            for visitor in list(self._visitors.values()):
                idle_s = self._clock() - visitor.seen_s
                if idle_s > (LONGEST_IDLE_S if visitor.tabs else self._kept_s):
                    self._forget(visitor)
        for part in self._root.glob("tmp*"):  # what Python calls a file without a name; Gradio's own until it is whole
            with suppress(OSError):  # it may be finished meanwhile
                if part.is_file() and time.time() - part.stat().st_mtime > BROKEN_OFF_S:
                    part.unlink()

    def _forget(self, visitor: Visitor) -> None:
        del self._visitors[visitor.secret]
        for name, tab in visitor.tabs.items():
            self._tabs.pop(name, None)
            tab.cancel_all()
        for file in list(visitor.files):
            self._drop(visitor, file)
        shutil.rmtree(visitor.folder, ignore_errors=True)

    def _drop(self, visitor: Visitor, file: Path) -> None:
        """A visitor's file is no longer its; nobody's file is removed."""
        del visitor.files[file]
        if any(file in other.files for other in self._visitors.values()):
            return
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)
        if file.parent != self._root:
            with suppress(OSError):  # there are others in it
                file.parent.rmdir()


def _size(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def tidy_for_ever(visitors: Visitors, every_s: float) -> None:
    """Start a thread that tidies up as long as the process lives."""

    def tidy() -> None:
        while True:
            time.sleep(every_s)
            visitors.tidy()

    threading.Thread(target=tidy, name="tidy", daemon=True).start()
