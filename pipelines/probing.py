"""Stage 2, probe: is it a video, what does it say about itself, and what are its bytes (1 batch of URIs → its sources).

The sources of a batch are recorded together, so that half a million videos are not half a million small files and a run
that dies while it probes does not read the finished batches again.
"""

import hashlib
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from liax import storage
from liax.errors import NoFileError, NoPermissionError, StorageError, UserError, VideoError
from liax.video.probe import frame_table, probe
from pipelines.contained import Contained, GivenUp, WorkConfig
from pipelines.limits import LimitsConfig, beyond
from pipelines.outcomes import Source
from pipelines.run import Run

BATCH = 16
"""Sources in a record. Part of what a record means, so not a setting."""


@contextmanager
def source_file(uri: str) -> Iterator[Path]:
    """A source as a local file.

    Raises:
        VideoError: `missing` or `unreadable`, see `_asked_for`.
        LiaxError: the storage failed or refused, also when the file went away while it was read.
    """
    with ExitStack() as stack:
        with _asked_for(uri):
            path = stack.enter_context(storage.local_copy(uri))
        try:
            yield path
        except VideoError:
            if not storage.exists(str(path)):
                raise StorageError(f"{uri} went away while it was read") from None
            raise


@contextmanager
def _asked_for(uri: str) -> Iterator[None]:
    """Tell what is the source's fault from what is the storage's.

    A video's reason is for good, so the storage's troubles must not become one: the job fails, and continues when it is
    started again.

    Raises:
        VideoError: `missing`: there is no such file, and the folder or bucket where it would be is there; `unreadable`:
            a local file that nobody may read.
        LiaxError: anything else, for example expired credentials.
    """
    try:
        yield
    except NoFileError:
        raise VideoError(uri, "missing", "it was listed, but is not there") from None
    except NoPermissionError:
        raise VideoError(uri, "unreadable", "no permission to read the file") from None
    except UserError as error:
        if storage.is_s3(uri):
            raise
        raise StorageError(f"{error}: is the disk or share there?") from None


def probe_source(uri: str, limits: LimitsConfig) -> Source:
    """Hash and probe one source. Whatever is wrong with it becomes its `reason`.

    Raises:
        LiaxError: the storage failed or refused.
    """
    started = time.monotonic()
    found = Source(uri=uri, sha256="")
    try:
        found = _measured(found, limits)
    except VideoError as error:
        found = found.model_copy(update={"reason": error.reason, "detail": error.detail})
    return found.model_copy(update={"seconds": time.monotonic() - started})


def _measured(source: Source, limits: LimitsConfig) -> Source:
    """The source with its properties. A rejected one keeps what was found before it was rejected."""
    with _asked_for(source.uri):
        size_bytes = storage.size(source.uri)
    source = source.model_copy(update={"bytes": size_bytes})
    if size_bytes > limits.most_bytes:  # before it is fetched
        return _with_reason(source, "too_many_bytes", f"{size_bytes} bytes; the limit is {limits.most_bytes}")
    with source_file(source.uri) as path:
        source = source.model_copy(update={"sha256": _sha256(path)})
        try:
            info = probe(path, most_pixels=limits.most_pixels)
            duration_s = info.duration_s or _last_time_s(path)
        except VideoError as error:
            return _with_reason(source, error.reason, error.detail)
    source = source.model_copy(
        update={
            "duration_s": duration_s,
            "container": info.container,
            "codec": info.codec,
            "width_px": info.width_px,
            "height_px": info.height_px,
            "fps": str(info.fps),
            "variable_rate": info.variable_rate,
            "rotation_deg": info.rotation_deg,
            "has_audio": info.has_audio,
            "yuv_matrix": info.yuv_matrix,
            "full_range": info.full_range,
        }
    )
    return _with_reason(source, *beyond(info.width_px, info.height_px, info.fps, duration_s, limits))


def _with_reason(source: Source, reason: str, detail: str) -> Source:
    return source.model_copy(update={"reason": reason, "detail": detail})


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError:
        raise VideoError(path, "unreadable", "no permission to read the file") from None
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from None


def _last_time_s(path: Path) -> float:
    """The length of a video whose header is silent about it."""
    times_s, _ = frame_table(path)
    return float(times_s[-1])


class Prober:
    """Probes in the child process."""

    def __init__(self, limits: LimitsConfig) -> None:
        self._limits = limits

    def __call__(self, uri: str) -> Source:
        return probe_source(uri, self._limits)


class ProbeBatch:
    """The stage for Ray Data, an actor: `number` and `uris` of a batch → its record is written."""

    def __init__(self, run: Run, limits: LimitsConfig, work: WorkConfig) -> None:
        self._run, self._work = run, work
        self._contained = Contained(Prober, (limits,), work.attempts)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        sources = [self._probe(uri) for uri in row["uris"]]
        data = "".join(f"{source.model_dump_json()}\n" for source in sources).encode()
        storage.create_bytes(self._run.probed(row["number"]), data)
        return {"number": row["number"], "videos": len(sources)}

    def _probe(self, uri: str) -> Source:
        try:
            found: Source = self._contained(uri, time_limit_s=self._work.probe_time_limit_s)
        except GivenUp as error:
            found = Source(uri=uri, sha256="", reason=error.reason, detail=error.detail)
        return found.model_copy(update={"attempts": self._contained.attempts})
