"""What stands before Gradio, asked without a browser."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from liax.ui.guard import COOKIE, FORM_BYTES, MOST_MESSAGE_BYTES, Guard
from liax.ui.visitors import Visitor, Visitors

MOST_FILE_BYTES = 1000


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


class Page:
    """Stands for what is behind the guard: answers what it was told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer, self.seen = b"ok", []

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Any]) -> None:
        message = await receive()
        self.seen.append((scope["path"], message["body"]))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": self.answer[:1], "more_body": True})
        await send({"type": "http.response.body", "body": self.answer[1:]})


@pytest.fixture
def visitors(tmp_path: Path) -> Visitors:
    return Visitors(tmp_path, kept_s=60, most_bytes=10_000)


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def ask(visitors: Visitors, page: Page) -> Callable[..., Answer]:
    """Ask for an address, as a visitor or as nobody."""
    guard = Guard(page, visitors, MOST_FILE_BYTES)

    def asking(path: str, visitor: Visitor | None = None, body: bytes = b"", query: str = "", **headers: str) -> Answer:
        sent: list[Any] = []
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if visitor is not None:
            given["cookie"] = f"other=1; {COOKIE}={visitor.secret}"
        scope = {
            "type": "http",
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }

        async def receive() -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(guard(scope, receive, send))
        start, *bodies = sent
        found = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], found, b"".join(one.get("body", b"") for one in bodies))

    return asking


def message(tab: str, *files: Path, url: str | None = None) -> bytes:
    data = [{"path": str(file), "url": url, "meta": {"_type": "gradio.FileData"}} for file in files]
    return json.dumps({"session_hash": tab, "fn_index": 1, "data": [{"video": one} for one in data]}).encode()


def test_a_newcomer_gets_a_secret_that_scripts_cannot_read(ask: Callable[..., Answer], visitors: Visitors) -> None:
    answer = ask("/")
    assert answer.status == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    secret = cookie.split(";")[0].removeprefix(f"{COOKIE}=")
    assert visitors.greet(secret).secret == secret
    assert "set-cookie" not in ask("/", visitors.greet(secret)).headers


def test_nothing_is_loaded_from_other_hosts(ask: Callable[..., Answer], visitors: Visitors) -> None:
    for path in ("/", "/assets/index.js", "/gradio_api/queue/join"):
        policy = ask(path).headers["content-security-policy"]
        assert policy.startswith("default-src 'self'")
        assert "http" not in policy


def test_files_are_given_to_their_visitors_only(
    ask: Callable[..., Answer], visitors: Visitors, tmp_path: Path, page: Page
) -> None:
    one, other = visitors.greet(None), visitors.greet(None)
    file = tmp_path / "abc" / "me.png"
    file.parent.mkdir()
    file.write_bytes(b"x")
    page.answer = json.dumps([str(file)]).encode()
    assert ask("/gradio_api/upload", one, content_length="100").body == page.answer
    assert ask(f"/gradio_api/file={file}", one).status == 200
    for asking in (other, None):
        assert ask(f"/gradio_api/file={file}", asking).status == 403
        assert ask("/gradio_api/queue/join", asking, message("tab", file)).status == 403
        assert ask("/gradio_api/run/predict", asking, message("tab", file)).status == 403
    assert ask("/gradio_api/queue/join", one, message("mine", file)).status == 200
    assert ask(f"/gradio_api/file/{file}", one).status == 404


@pytest.mark.parametrize("url", ["http://169.254.169.254/secret", "https://example.org/a.png", "/etc/passwd"])
def test_no_other_file_and_no_other_host_is_read(
    ask: Callable[..., Answer], visitors: Visitors, page: Page, url: str
) -> None:
    one = visitors.greet(None)
    assert ask(f"/gradio_api/file={url}", one).status == 403
    named = json.dumps({"session_hash": "t", "data": [{"path": url, "meta": {"_type": "gradio.FileData"}}]})
    assert ask("/gradio_api/queue/join", one, named.encode()).status == 403
    assert page.seen == []


def test_messages_are_their_tabs_alone(ask: Callable[..., Answer], visitors: Visitors) -> None:
    one, other = visitors.greet(None), visitors.greet(None)
    assert ask("/gradio_api/queue/join", one, message("mine")).status == 200
    assert ask("/gradio_api/queue/data", one, query="session_hash=mine").status == 200
    assert ask("/gradio_api/heartbeat/mine", one).status == 200
    for asking in (other, None):
        assert ask("/gradio_api/queue/join", asking, message("mine")).status == 403
        assert ask("/gradio_api/queue/data", asking, query="session_hash=mine").status == 403
        assert ask("/gradio_api/heartbeat/mine", asking).status == 403
        assert ask("/gradio_api/cancel", asking, message("mine")).status == 403
    assert ask("/gradio_api/queue/data", one).status == 403, "a tab without a name"


def test_only_what_a_living_page_sends_opens_it(ask: Callable[..., Answer], visitors: Visitors) -> None:
    one = visitors.greet(None)
    assert ask("/gradio_api/queue/data", one, query="session_hash=a").status == 403
    assert ask("/gradio_api/run/predict", one, message("a")).status == 403
    assert ask("/gradio_api/cancel", one, message("a")).status == 403
    assert ask("/gradio_api/heartbeat/a", one).status == 200
    assert ask("/gradio_api/run/predict", one, message("a")).status == 200
    assert ask("/gradio_api/queue/join", one, message("b")).status == 200
    assert ask("/gradio_api/queue/data", one, query="session_hash=b").status == 200


def test_whoever_takes_heartbeats_is_there(tmp_path: Path, page: Page) -> None:
    now_s = iter(range(100))
    visitors = Visitors(tmp_path, kept_s=60, most_bytes=10, clock=lambda: next(now_s))
    one = visitors.greet(None)
    before_s = one.seen_s

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        heard.append(one.seen_s)

    heard: list[float] = []
    cookie = (b"cookie", f"{COOKIE}={one.secret}".encode())
    scope = {"type": "http", "path": "/gradio_api/heartbeat/a", "query_string": b"", "headers": [cookie]}
    asyncio.run(Guard(page, visitors, MOST_FILE_BYTES)(scope, receive, send))
    assert before_s < heard[0] < heard[1] < heard[2]


@pytest.mark.parametrize("more", ["&session_hash=theirs", "&session_hash=", "&session%5Fhash=theirs", ""])
def test_nobody_hides_a_tab_behind_its_own(
    ask: Callable[..., Answer], visitors: Visitors, page: Page, more: str
) -> None:
    one, other = visitors.greet(None), visitors.greet(None)
    ask("/gradio_api/queue/join", one, message("theirs"))
    ask("/gradio_api/queue/join", other, message("mine"))
    page.seen.clear()
    answer = ask("/gradio_api/queue/data", other, query=f"session_hash=mine{more}")
    assert (answer.status, len(page.seen)) == ((403, 0) if more else (200, 1))


def test_messages_pass_unchanged(ask: Callable[..., Answer], visitors: Visitors, page: Page) -> None:
    sent = message("mine")
    ask("/gradio_api/queue/join", visitors.greet(None), sent)
    assert page.seen == [("/gradio_api/queue/join", sent)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"1",
        b"[" * 200_000,
        b'{"data":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b"x" * (MOST_MESSAGE_BYTES + 1),
    ],
)
def test_what_is_no_message(ask: Callable[..., Answer], visitors: Visitors, page: Page, body: bytes) -> None:
    assert ask("/gradio_api/queue/join", visitors.greet(None), body).status == 400
    assert page.seen == []


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/proxy=https://x.hf.space/",
        "/gradio_api/call/predict",
        "/gradio_api/run/other",
        "/gradio_api/run-history/connect",
        "/gradio_api/process_recording",
        "/gradio_api/stream/a/b/1/playlist.m3u8",
        "/monitoring",
        "/login",
        "/docs",
        "/gradio_api/mcp/sse",
        "/custom_component/x",
    ],
)
def test_what_the_page_does_not_need_is_not_there(
    ask: Callable[..., Answer], visitors: Visitors, page: Page, path: str
) -> None:
    assert ask(path, visitors.greet(None)).status == 404
    assert page.seen == []


def test_uploads_have_a_size(ask: Callable[..., Answer], visitors: Visitors, page: Page) -> None:
    one = visitors.greet(None)
    page.answer = b"[]"
    assert ask("/gradio_api/upload", one).status == 411
    too_long = ask("/gradio_api/upload", one, content_length=str(MOST_FILE_BYTES + FORM_BYTES + 1))
    assert too_long.status == 413
    assert b"larger than 0 MB" in too_long.body
    assert ask("/gradio_api/upload", None, content_length="10").status == 403
    assert page.seen == []
    assert ask("/gradio_api/upload", one, content_length="10").status == 200
