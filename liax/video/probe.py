"""What a video file says about itself, read with PyAV (the ffmpeg in imageio-ffmpeg comes without ffprobe)."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from liax.errors import StorageError, VideoError
from liax.video.ffmpeg import INPUT_OPTIONS, file_url

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

BT709, UNSPECIFIED, BT601 = 1, 2, 5
"""Codes of the YUV matrices in ISO/IEC 23091-2, as PyAV reports them."""

FULL_RANGE = 2
SEEKABLE = ("mov", "matroska")
"""Containers with an index that names every frame's time, so that a seek never lands after the moment asked for."""

MICROSECONDS = 1_000_000

STORAGE_ERRNOS = (errno.ESTALE, errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ETIMEDOUT, errno.ENOTCONN)
"""What the system says of a disk, a share or itself. EIO is not among them, because ffmpeg says it of broken files as
well, and neither is ENOMEM, which it says where a header asks for absurd sizes."""

READ_BYTES = 1024 * 1024

MOST_PIXELS = 8192 * 8192
"""In one picture of any video that is opened. Our choice: beyond it a decoder would take a gigabyte a picture."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """A video's properties.

    Width and height are those of the upright picture with square pixels, as a player shows it and as
    `liax.video.decode.frames` yields it. `duration_s` and `frames_estimate` are what the header says, 0 when it is
    silent. `stream_index` is the place of the video among all the file's streams. `rotation_deg` is by how much a
    player turns the stored picture counter-clockwise: 0, 90, 180 or 270. `yuv_matrix` is a code of ISO/IEC 23091-2,
    never "unspecified".
    """

    container: str
    codec: str
    width_px: int
    height_px: int
    fps: Fraction
    frames_estimate: int
    duration_s: float
    stream_index: int
    square_pixels: bool
    rotation_deg: int
    has_audio: bool
    variable_rate: bool
    yuv_matrix: int
    full_range: bool


@contextmanager
def open_video(path: str | Path, most_pixels: int = MOST_PIXELS) -> Iterator[tuple["InputContainer", "VideoStream"]]:
    """Open a file's first real video stream, for decoding in one thread.

    Args:
        path: a local file.
        most_pixels: a larger picture is refused by the header, before memory is taken for it.

    Raises:
        VideoError: `unreadable`, also for a decoding error inside the block and for a size that no decoder takes;
            `no_video_stream`; `unknown_codec`; or `picture_too_large`.
        StorageError: the disk or the system failed, which is not the video's fault.
    """
    import av

    # For the decoders: opening a file decodes already where its header is silent, and a size may change midway.
    limit = {"max_pixels": str(max(most_pixels, MOST_PIXELS))}
    try:
        with av.open(file_url(path), options=INPUT_OPTIONS | limit, metadata_errors="replace") as container:
            streams = [s for s in container.streams.video if not s.disposition & s.disposition.__class__.attached_pic]
            if not streams:
                raise VideoError(path, "no_video_stream")
            stream = streams[0]
            if stream.codec_context is None:  # no decoder for what the header names
                raise VideoError(path, "unknown_codec")
            width_px, height_px = stream.codec_context.width, stream.codec_context.height
            if width_px * height_px > most_pixels:
                detail = f"{width_px}x{height_px} px; the limit is {most_pixels} pixels"
                raise VideoError(path, "picture_too_large", detail)
            stream.codec_context.options = limit
            stream.thread_type = "NONE"
            stream.codec_context.thread_count = 1
            yield container, stream
    except (av.FFmpegError, OSError, EOFError) as error:
        _check_storage(path, error)
        raise VideoError(path, "unreadable", str(getattr(error, "strerror", None) or error)) from error


def _check_storage(path: str | Path, error: Exception) -> None:
    """Raise StorageError if a decoder's error was not the video's fault."""
    number = getattr(error, "errno", None)
    if number in STORAGE_ERRNOS:
        raise StorageError(f"cannot read {path}: {getattr(error, 'strerror', error)}") from error
    if number != errno.EIO:
        return
    try:
        with Path(path).open("rb") as file:  # does the disk fail, or is the file broken?
            while file.read(READ_BYTES):
                pass
    except OSError as failure:
        raise StorageError(f"cannot read {path}: {failure.strerror}") from error


def can_seek(container_name: str) -> bool:
    """Whether a seek in this container is exact; the frames of the others have to be decoded from the start.

    Args:
        container_name: as ffmpeg and `VideoInfo.container` name it, for example `mov,mp4,m4a,3gp,3g2,mj2`.
    """
    return container_name.split(",")[0] in SEEKABLE


def probe(path: str | Path, most_pixels: int = MOST_PIXELS) -> VideoInfo:
    """Read a video's properties from its header and its first frame.

    Args:
        path: a local file.
        most_pixels: see `open_video`.

    Raises:
        VideoError: as `open_video`, or `no_frames`.
    """
    with open_video(path, most_pixels) as (container, stream):
        first = next(container.decode(stream), None)
        if first is None:
            raise VideoError(path, "no_frames")
        fps = stream.average_rate or stream.guessed_rate or Fraction(0)
        base_fps = stream.base_rate or fps
        duration_s = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        if not duration_s and container.duration:
            duration_s = container.duration / MICROSECONDS
        width_px, height_px = display_size(first, stream)
        return VideoInfo(
            container=container.format.name,
            codec=stream.codec_context.name,
            width_px=width_px,
            height_px=height_px,
            fps=Fraction(fps),
            frames_estimate=stream.frames or round(duration_s * fps),
            duration_s=duration_s,
            stream_index=stream.index,
            square_pixels=(stream.sample_aspect_ratio or 1) == 1,
            rotation_deg=round(first.rotation / 90) % 4 * 90,
            has_audio=bool(container.streams.audio),
            variable_rate=bool(fps) and abs(float(base_fps / fps) - 1) > 0.01,
            yuv_matrix=yuv_matrix(first),
            full_range=int(first.color_range) == FULL_RANGE,
        )


def display_size(frame: "av.VideoFrame", stream: "VideoStream") -> tuple[int, int]:
    """Width and height of the upright picture with square pixels."""
    width_px = round(frame.width * (stream.sample_aspect_ratio or 1))
    return (frame.height, width_px) if frame.rotation % 180 else (width_px, frame.height)


def yuv_matrix(frame: "av.VideoFrame") -> int:
    """The matrix that a frame's YUV values are meant for; files that do not say follow what players do.

    Our choice for those, because it is the common one: BT.709 from 720 lines (of the shorter side) on, BT.601 below.
    """
    stated = int(frame.colorspace)
    if stated in (BT709, 4, BT601, 6, 7, 9):
        return BT601 if stated == 6 else stated
    return BT709 if min(frame.width, frame.height) >= 720 else BT601


def start_s(container: "InputContainer") -> float:
    """The time stamp of the container's start. All times in liax count from it, as ffmpeg's `-ss` does."""
    return (container.start_time or 0) / MICROSECONDS


def frame_table(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """When every frame is shown; without decoding where the container knows, else the times that the decoder gives.

    Returns:
        times_s (T,) float64, ascending, from the container's start; is_key (T,) bool, whether decoding can start there.

    Raises:
        VideoError: `unreadable`, `no_video_stream` or `no_frames`.
    """
    with open_video(path) as (container, stream):
        if can_seek(container.format.name):
            rows = [
                (float(packet.pts * packet.time_base), packet.is_keyframe)
                for packet in container.demux(stream)
                if packet.pts is not None and packet.size and not packet.is_discard
            ]
        else:
            rows = [(float(frame.time), frame.key_frame) for frame in container.decode(stream) if frame.pts is not None]
        if not rows:
            raise VideoError(path, "no_frames")
        rows.sort()
        times_s, is_key = zip(*rows, strict=True)
        return np.array(times_s) - start_s(container), np.array(is_key, dtype=bool)
