"""Reading frames as upright RGB pictures."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from liax.errors import VideoError
from liax.video.probe import can_seek, display_size, open_video, start_s, yuv_matrix

if TYPE_CHECKING:
    import av

HALF_MILLISECOND_S = 0.0005
"""Slack in comparisons of times: time stamps are rounded to the container's clock, often to milliseconds."""


def frames(
    path: str | Path,
    *,
    rate_fps: float | None = None,
    longest_side_px: int | None = None,
    start: float = 0.0,
    end: float | None = None,
) -> Iterator[tuple[float, np.ndarray]]:
    """Decode a video in one thread.

    Args:
        path: a local file.
        rate_fps: yield no more than this many frames a second (the first at or after each tick); None yields all.
        longest_side_px: shrink pictures whose longer side is longer; None keeps the size.
        start: first time in seconds from the start of the file; earlier frames are skipped, by seeking where the
            container allows it (`can_seek`), else by decoding them.
        end: frames at or after this time are not yielded; None reads to the end of the file.

    Yields:
        time_s (never smaller than the one before), picture (H, W, 3) uint8 RGB, upright, with square pixels. Where
        the file changes its size midway, later pictures are stretched to the first one's.

    Raises:
        VideoError: `unreadable`, `no_video_stream`, or `times_run_backwards`: the file's time stamps do not say in
            which order its frames are shown.
    """
    with open_video(path) as (container, stream):
        offset_s = start_s(container)
        next_s, last_s, size_px = start - HALF_MILLISECOND_S, -math.inf, None
        if start > 0 and stream.time_base and can_seek(container.format.name):
            container.seek(int((start + offset_s) / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            if frame.pts is None:
                continue
            time_s = float(frame.time) - offset_s
            if time_s < last_s:
                raise VideoError(path, "times_run_backwards", f"{time_s:.3f} s after {last_s:.3f} s")
            last_s = time_s
            if end is not None and time_s >= end - HALF_MILLISECOND_S:
                return
            if time_s < next_s:
                continue
            if rate_fps is not None:
                ticks = int((time_s - start + HALF_MILLISECOND_S) * rate_fps)
                next_s = start + (ticks + 1) / rate_fps - HALF_MILLISECOND_S
            size_px = size_px or _limited(display_size(frame, stream), longest_side_px)
            yield time_s, to_rgb(frame, *size_px)


def to_rgb(frame: "av.VideoFrame", width_px: int | None = None, height_px: int | None = None) -> np.ndarray:
    """Convert one decoded frame, upright, to RGB, by the matrix and range that the frame states.

    Args:
        frame: as decoded by PyAV.
        width_px, height_px: size of the upright result; None keeps the frame's own.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    from av.video.reformatter import Interpolation

    sideways = bool(frame.rotation % 180)
    if width_px is None or height_px is None:
        width_px, height_px = (frame.height, frame.width) if sideways else (frame.width, frame.height)
    picture_HWC = frame.to_ndarray(
        format="rgb24",
        width=height_px if sideways else width_px,
        height=width_px if sideways else height_px,
        src_colorspace=yuv_matrix(frame),
        # Without ACCURATE_RND: with it, swscale darkens every value by 2 of 255, and is four times slower.
        interpolation=Interpolation.BICUBIC,
        threads=1,
    )
    quarter_turns = round(frame.rotation / 90)
    return np.ascontiguousarray(np.rot90(picture_HWC, quarter_turns)) if quarter_turns else picture_HWC


def _limited(size_px: tuple[int, int], longest_side_px: int | None) -> tuple[int, int]:
    """The size shrunk, in proportion, until its longer side is at most the limit."""
    if longest_side_px is None or max(size_px) <= longest_side_px:
        return size_px
    scale = longest_side_px / max(size_px)
    return max(1, round(size_px[0] * scale)), max(1, round(size_px[1] * scale))


def frame_at(path: str | Path, time_s: float) -> np.ndarray:
    """The first frame at or after a time, (H, W, 3) uint8 RGB, upright.

    Raises:
        VideoError: `no_frames` if there is none; `unreadable`.
    """
    for _, picture_HWC in frames(path, start=time_s):
        return picture_HWC
    raise VideoError(path, "no_frames", f"none at or after {time_s:.2f} s")
