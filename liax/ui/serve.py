"""Serving the page: a socket, a folder for visitors' files that goes with the process, Gradio, and the guard."""

import asyncio
import importlib.util
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from liax.errors import UserError
from liax.progress import say
from liax.ui.config import FOLDER_PREFIX, UiConfig

if TYPE_CHECKING:
    from liax.inference.animator import Animator

TIDY_EVERY_S = 30.0
STOPPING_S = 2
"""How long open pages may keep a server that was told to stop."""
ATLAS_FILES = (".html", ".jpg", ".jpeg", ".png", ".webp", ".svg")
"""What of an atlas's folder is shown: the page and its pictures, not the numbers and records."""
_QUIET = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_RUN_HISTORY": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}
"""Nothing of this page's use is told to anybody, and nothing is asked of other hosts."""


def check_installed() -> None:
    """Raise UserError unless what the page is made with is installed."""
    if importlib.util.find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install 'liax[ui]'")


def serve(config: UiConfig) -> None:
    """Serve the page until the process is told to stop.

    Raises:
        UserError: Gradio is missing, the port is taken, the first model cannot be loaded, or there is no such atlas.
    """
    check_installed()
    import uvicorn

    check_atlas(config.atlas)
    listening = listen(config.host, config.port)
    try:
        with _ends_with_signals(), page_folder() as root:
            app = make_app(config, root)
            visitors = app.visitors

            class Server(uvicorn.Server):
                async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                    visitors.end(0)  # whatever is being made would keep the process
                    await super().shutdown(sockets)

            settings = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=STOPPING_S)
            logging.getLogger("uvicorn.error").addFilter(_not_cancelled)
            say(f"the page: {address(listening)} (Ctrl-C stops it)")
            try:
                Server(settings).run(sockets=[listening])
            finally:
                visitors.end(STOPPING_S)  # so that nobody writes any more when the folder goes
    finally:
        listening.close()


@contextmanager
def _ends_with_signals() -> Iterator[None]:
    """In the block, a SIGTERM or SIGHUP lets everything be put away first: visitors' files must not stay."""

    def end(number: int, _: Any) -> None:
        sys.exit(128 + number)

    def hang_up(number: int, _: Any) -> None:
        signal.raise_signal(signal.SIGTERM)  # which Uvicorn knows: it stops, and then sends it on

    wanted = {signal.SIGTERM: end, signal.SIGHUP: hang_up}
    # Whoever started us with nohup wants no end when the terminal goes.
    before = {key: signal.signal(key, one) for key, one in wanted.items() if signal.getsignal(key) != signal.SIG_IGN}
    try:
        yield
    finally:
        for key, handler in before.items():
            signal.signal(key, handler)


def _not_cancelled(record: logging.LogRecord) -> bool:
    """Open pages that a stopping server cuts off are no error."""
    cancelled = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not cancelled and "graceful shutdown exceeded" not in record.getMessage()


def check_atlas(atlas: str | None) -> None:
    """Raise UserError unless an atlas can be shown, if one is wanted."""
    if atlas is not None and not Path(atlas, "index.html").is_file():
        raise UserError(f"no atlas in {atlas}: give a folder with index.html that `liax atlas` wrote")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises UserError where that cannot be."""
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise UserError(f"there is no address {host}: {error.strerror}; give --host another") from None
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(where)
        listening.listen()
    except OSError as error:
        listening.close()
        raise UserError(f"cannot listen on {host} port {port}: {error.strerror}; give --port another") from None
    return listening


def address(listening: socket.socket) -> str:
    """What to type into a browser."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


@contextmanager
def page_folder() -> Iterator[Path]:
    """A folder for all files of the page, which only this user may enter and which goes with the block.

    Gradio reads from the environment where it may put files; what is there is put back afterwards.
    """
    with TemporaryDirectory(prefix=FOLDER_PREFIX, ignore_cleanup_errors=True) as name:
        settings = {**_QUIET, "GRADIO_TEMP_DIR": str(Path(name).resolve())}
        before = {key: os.environ.get(key) for key in settings}
        os.environ.update(settings)
        try:
            yield Path(name).resolve()
        finally:
            for key, value in before.items():
                if value is None:
                    del os.environ[key]
                else:
                    os.environ[key] = value


def make_app(config: UiConfig, root: Path) -> Any:
    """The page as an ASGI application. Call it inside `page_folder`.

    Raises:
        UserError: the first model cannot be loaded.
    """
    import gradio as gr
    from fastapi import FastAPI

    from liax.ui.desk import Desk
    from liax.ui.examples import make_examples
    from liax.ui.guard import Guard
    from liax.ui.models import Models
    from liax.ui.page import build
    from liax.ui.sources import Sources
    from liax.ui.style import CSS, theme
    from liax.ui.visitors import Visitors, tidy_for_ever

    limits = config.limits
    first = load(config, config.models[0])  # so that whoever starts the page sees at once, and in full, what is wrong
    sources = Sources()
    models = Models(
        config.models,
        lambda source: first if source == config.models[0] else load(config, source),
        config.any_model,
        sources.forget_model,
    )
    visitors = Visitors(root, limits.kept_s, limits.visitor_bytes)
    tidy_for_ever(visitors, TIDY_EVERY_S)
    desk = Desk(models, visitors, limits, sources)
    blocks = build(desk, make_examples(root / "examples"), limits, atlas=config.atlas is not None)
    app = FastAPI(openapi_url=None)
    if config.atlas is not None:
        _add_atlas(app, Path(config.atlas).resolve())
    gr.mount_gradio_app(
        app,
        blocks,
        path="",
        show_error=False,
        max_file_size=limits.file_bytes,
        ssr_mode=False,
        run_history=False,
        footer_links=[],
        theme=theme(),
        css=CSS,
    )
    return Guard(app, visitors, limits.file_bytes)


def load(config: UiConfig, source: str) -> "Animator":
    """A model for all visitors."""
    from liax.inference.animator import Animator
    from liax.ui.shared_renderer import SharedRenderer

    uri = config.tracking_uri if source.startswith("models:/") else None
    animator = Animator.from_pretrained(
        source, config.device, config.dtype, uri, compiled=config.compiled, controls=config.controls
    )
    animator.renderer = SharedRenderer(animator.renderer)
    return animator


def _add_atlas(app: Any, folder: Path) -> None:
    """Serve an atlas's page and its pictures under `atlas/`."""
    from fastapi import HTTPException
    from fastapi.responses import FileResponse

    @app.get("/atlas/{name:path}")
    def atlas(name: str) -> FileResponse:
        file = (folder / name).resolve()
        if not file.is_relative_to(folder) or file.suffix.lower() not in ATLAS_FILES or not file.is_file():
            raise HTTPException(404)
        return FileResponse(file)
