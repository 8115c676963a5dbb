"""Stage 2, probe: is it a video, how long, and what are its bytes (1 source → 1 row)."""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from liax import storage
from liax.errors import StorageError, UserError, VideoError
from liax.video.probe import VideoInfo, probe
from pipelines.config import LimitsConfig
from pipelines.outcomes import Source


@contextmanager
def source_file(uri: str) -> Iterator[Path]:
    """A source as a local file.

    Raises:
        VideoError: `missing`: there is no such file.
        LiaxError: the storage failed or refused. That says nothing about the video, so it must not become its reason,
            which is for good: the job fails, and continues when it is started again.
    """
    with ExitStack() as stack:
        try:
            path = stack.enter_context(storage.local_copy(uri))
        except UserError:
            if storage.exists(uri):
                raise
            raise VideoError(uri, "missing", "it was listed, but is not there") from None
        yield path


def probe_source(uri: str, limits: LimitsConfig) -> Source:
    """Hash and probe one source. Whatever is wrong with it becomes its `reason`.

    Raises:
        LiaxError: the storage failed or refused.
    """
    started = time.monotonic()
    sha256, duration_s, reason, detail = "", 0.0, "", ""
    try:
        with source_file(uri) as path:
            sha256 = _sha256(path)
            info = probe(path)
            duration_s = info.duration_s
            reason, detail = _beyond(info, limits)
    except VideoError as error:
        reason, detail = error.reason, error.detail
    return Source(
        uri=uri,
        sha256=sha256,
        duration_s=duration_s,
        reason=reason,
        detail=detail,
        seconds=time.monotonic() - started,
    )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError:
        raise VideoError(path, "unreadable", "no permission to read the file") from None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from None


def _beyond(info: VideoInfo, limits: LimitsConfig) -> tuple[str, str]:
    if max(info.width_px, info.height_px) > limits.longest_side_px:
        return "picture_too_large", f"{info.width_px}x{info.height_px} px; the limit is {limits.longest_side_px}"
    if info.duration_s > limits.longest_s:
        return "too_long", f"{info.duration_s:.0f} s; the limit is {limits.longest_s:.0f}"
    return "", ""


def probe_row(row: dict[str, Any], limits: LimitsConfig) -> dict[str, Any]:
    """The stage for Ray Data: `uri` → `source` (JSON)."""
    return {"source": probe_source(row["uri"], limits).model_dump_json()}
