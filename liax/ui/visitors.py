"""Who is on the page, and whose files are whose. Nobody gets another's.

A visitor is a browser, known by a secret in a cookie; a tab of it is what Gradio calls a session. Gradio itself serves
any uploaded file to whoever knows its path, which is a hash of its content; so everything that asks for a file passes
`Visitors.may_read` first (see `liax.ui.guard`).
"""

import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from liax.ui.work import Work

LONGEST_IDLE_S = 24 * 3600.0
"""After that a page of which nothing was heard counts as left, whether or not it said so. Our choice."""


@dataclass(slots=True)
class Tab:
    """One page of a visitor, and the work that is under way for it."""

    visitor: "Visitor"
    work: Work | None = None


@dataclass(slots=True)
class Visitor:
    """One browser.

    Args:
        secret: what its cookie says.
        folder: for what the page makes for it.
        uploads: its uploaded files and their sizes in bytes, the oldest first.
        seen_s: when it was last heard of, by the monotonic clock.
    """

    secret: str
    folder: Path
    uploads: dict[Path, int] = field(default_factory=dict)
    tabs: dict[str, Tab] = field(default_factory=dict)
    seen_s: float = 0.0


class Visitors:
    """All visitors. Safe to use from several threads.

    Args:
        root: a folder for all files of the page, and of nobody else.
        kept_s: how long files outlive their visitor's last tab.
        most_bytes: of one visitor's uploads together; the oldest make room for new ones.
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

    def tab(self, secret: str | None, name: str) -> Tab | None:
        """The visitor's tab of that name, opened if nobody has one; None for an unknown visitor or another's tab."""
        with self._lock:
            visitor, tab = self._visitors.get(secret or ""), self._tabs.get(name)
            if visitor is None or (tab is not None and tab.visitor is not visitor):
                return None
            visitor.seen_s = self._clock()
            if tab is None:
                tab = Tab(visitor)
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
        if tab.work is not None:
            tab.work.cancel()

    def claim(self, visitor: Visitor, file: Path) -> None:
        """An uploaded file is this visitor's (and whoever's else who uploaded the same)."""
        with self._lock:
            visitor.uploads.pop(file, None)
            visitor.uploads[file] = file.stat().st_size if file.is_file() else 0
            while len(visitor.uploads) > 1 and sum(visitor.uploads.values()) > self._most_bytes:
                self._drop(visitor, next(iter(visitor.uploads)))

    def may_read(self, secret: str | None, file: Path) -> bool:
        """Whether a visitor may have a file: its own, uploaded or made for it, or an example."""
        with self._lock:
            visitor = self._visitors.get(secret or "")
            if visitor is None:
                return False
            file = Path(file).resolve()
            return file in visitor.uploads or any(
                file.is_relative_to(folder.resolve()) for folder in (visitor.folder, self._public)
            )

    def new_folder(self, visitor: Visitor) -> Path:
        """An empty folder for one result of a visitor."""
        folder = visitor.folder / secrets.token_urlsafe(8)
        folder.mkdir(parents=True)
        return folder

    def tidy(self) -> None:
        """Remove the files of those who left."""
        with self._lock:
            for visitor in list(self._visitors.values()):
                idle_s = self._clock() - visitor.seen_s
                if idle_s > (LONGEST_IDLE_S if visitor.tabs else self._kept_s):
                    self._forget(visitor)

    def _forget(self, visitor: Visitor) -> None:
        del self._visitors[visitor.secret]
        for name in visitor.tabs:
            self._tabs.pop(name, None)
        for file in list(visitor.uploads):
            self._drop(visitor, file)
        shutil.rmtree(visitor.folder, ignore_errors=True)

    def _drop(self, visitor: Visitor, file: Path) -> None:
        """A visitor's upload is no longer its; nobody's file is removed."""
        del visitor.uploads[file]
        if not any(file in other.uploads for other in self._visitors.values()):
            file.unlink(missing_ok=True)


def tidy_for_ever(visitors: Visitors, every_s: float) -> None:
    """Start a thread that tidies up as long as the process lives."""

    def tidy() -> None:
        while True:
            time.sleep(every_s)
            visitors.tidy()

    threading.Thread(target=tidy, name="tidy", daemon=True).start()
