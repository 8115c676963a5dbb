"""What stands before Gradio: only what the page needs is answered, and nobody gets another's files or messages."""

import json
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from liax.ui.visitors import Visitor, Visitors

COOKIE = f"liax_visitor_{secrets.token_hex(4)}"
"""Another one in each process: several pages of one host share their cookies, and must not take each other's places."""
MOST_MESSAGE_BYTES = 1_000_000
"""Of a message other than an upload: settings and names of files."""
FORM_BYTES = 100_000
"""What an upload may have beside its file: boundaries, headers."""

_API = "/gradio_api"
_OPEN = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|robots\.txt|manifest\.json|pwa_icon)|/(assets|static|svelte|atlas)/.*"
    rf"|{_API}/(info|startup-events|upload_progress|app_id|theme\.css|reset|login_check)/?"
)
"""Addresses that show the same to everybody."""
_OWN = re.compile(rf"{_API}/(file=.*|upload|run/predict|queue/join|queue/data|cancel|heartbeat/[^/]+)")
"""Addresses that are about somebody's files or messages. Whatever is neither is refused: Gradio has many more, among
them some that fetch from other hosts."""

_HEADERS = {
    # Nothing from other hosts, whatever a library would like: the page is used where there is no network, too.
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'; "
    "form-action 'self'; base-uri 'self'; object-src 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware round the whole page.

    Args:
        app: what answers.
        visitors: who is who.
        most_file_bytes: of one upload.
    """

    def __init__(self, app: App, visitors: Visitors, most_file_bytes: int) -> None:
        self._app, self.visitors, self._most_file_bytes = app, visitors, most_file_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None
        path = scope["path"]
        if path.startswith(f"{_API}/file/"):
            path = ""  # an older form of file=, which nothing of ours uses
        secret = _secret(scope)
        if _OPEN.fullmatch(path):
            visitor = self.visitors.greet(secret) if path == "/" else None
            cookie = visitor.secret if visitor is not None and visitor.secret != secret else None
            return await self._app(scope, receive, _with_headers(send, cookie))
        send = _with_headers(send, None)
        if not _OWN.fullmatch(path):
            return await _refuse(send, 404, "there is nothing here")
        return await self._own(path.removeprefix(f"{_API}/"), secret, scope, receive, send)

    async def _own(self, path: str, secret: str | None, scope: Message, receive: Receive, send: Send) -> None:
        """A request about somebody's files or messages."""
        if path.startswith("file="):
            if not self.visitors.may_read(secret, Path(path.removeprefix("file="))):
                return await _refuse(send, 403, "this file is not yours, or is no longer there")
            return await self._app(scope, receive, send)
        if path == "upload":
            return await self._upload(secret, scope, receive, send)
        if path == "queue/data":
            names = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("session_hash", [])
            # Of several, whoever answers would take another than we look at.
            return await self._in_tab(secret, names[0] if len(names) == 1 else "", scope, receive, send)
        if path.startswith("heartbeat/"):
            name = path.removeprefix("heartbeat/")
            return await self._in_tab(secret, name, scope, receive, self._heard(secret, name, send), opening=True)
        body = await _body(receive, MOST_MESSAGE_BYTES)
        try:
            message = json.loads(body or b"null")
            files = list(_files(message))
        except (ValueError, RecursionError):  # no JSON, or nested for no good
            message, files = None, []
        if not isinstance(message, dict):
            return await _refuse(send, 400, "this is no message of the page")
        for file in files:
            if not self.visitors.may_read(secret, Path(file)):
                return await _refuse(send, 403, f"the file {Path(file).name} is no longer there: upload it again")
        name, receive = str(message.get("session_hash", "")), _once(body, receive)
        return await self._in_tab(secret, name, scope, receive, send, opening=path == "queue/join")

    async def _in_tab(
        self, secret: str | None, name: str, scope: Message, receive: Receive, send: Send, *, opening: bool = False
    ) -> None:
        if not name or self.visitors.tab(secret, name, opening=opening) is None:
            return await _refuse(send, 403, "this page is no longer known here: reload it")
        return await self._app(scope, receive, send)

    def _heard(self, secret: str | None, name: str, send: Send) -> Send:
        """As long as a page takes its heartbeats, its visitor is there."""

        async def sending(message: Message) -> None:
            await send(message)
            self.visitors.tab(secret, name)

        return sending

    async def _upload(self, secret: str | None, scope: Message, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        length = headers.get(b"content-length", b"").decode("latin-1")
        if not length.isdecimal():
            return await _refuse(send, 411, "an upload must say how long it is")
        if int(length) > self._most_file_bytes + FORM_BYTES:
            return await _refuse(send, 413, f"the file is larger than {self._most_file_bytes // 1_000_000} MB")
        visitor = self.visitors.greet(secret)
        if visitor.secret != secret:
            return await _refuse(send, 403, "this page is no longer known here: reload it")
        return await self._app(scope, receive, _claiming(send, self.visitors, visitor))


def _claiming(send: Send, visitors: Visitors, visitor: Visitor) -> Send:
    """Before the browser learns where its files lie, they are the visitor's."""
    start: Message = {}
    answer = bytearray()

    async def claiming(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        answer.extend(message.get("body", b""))
        if message.get("more_body"):
            return
        if start["status"] == 200:
            for name in json.loads(bytes(answer)):
                visitors.claim(visitor, Path(name).resolve())
        await send(start)
        await send({"type": "http.response.body", "body": bytes(answer)})

    return claiming


def _files(value: Any) -> Iterator[str]:
    """The paths of all files that a message names, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("path"), str):
            yield value["path"]
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _files(one)


def _secret(scope: Message) -> str | None:
    cookies = SimpleCookie()
    for name, value in scope["headers"]:
        if name.lower() == b"cookie":
            try:
                cookies.load(value.decode("latin-1"))
            except CookieError:
                return None
    return cookies[COOKIE].value if COOKIE in cookies else None


def _with_headers(send: Send, cookie: str | None) -> Send:
    """Adds our headers to an answer, and a new visitor's cookie, which ends with the browser."""
    added = dict(_HEADERS)
    if cookie is not None:
        added["set-cookie"] = f"{COOKIE}={cookie}; Path=/; HttpOnly; SameSite=Strict"

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            more = [(name.encode(), value.encode()) for name, value in added.items()]
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return sending


async def _body(receive: Receive, most_bytes: int) -> bytes | None:
    """A request's body; None for one that is too long."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body.extend(message.get("body", b""))
        if len(body) > most_bytes:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _once(body: bytes | None, receive: Receive) -> Receive:
    """A body that was read already, to be read again; then what comes after it."""
    left: list[Message] = [{"type": "http.request", "body": body or b"", "more_body": False}]

    async def again() -> Message:
        return left.pop() if left else await receive()

    return again


async def _refuse(send: Send, status: int, why: str) -> None:
    body = json.dumps({"detail": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
