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


def decoded(
    path: str | Path, *, start: float = 0.0, end: float | None = None, skip_unreferenced: bool = False
) -> Iterator[tuple[float, "av.VideoFrame", tuple[int, int]]]:
    """Decode a video in one thread, without converting its frames.

    Args:
        path: a local file.
        start: first time in seconds from the start of the file; earlier frames are skipped, by seeking where the
            container allows it (`can_seek`), else by decoding them.
        end: frames at or after this time are not yielded; None reads to the end of the file.
        skip_unreferenced: leave out frames that no other frame needs, for speed: about every second one of a file
            with B-frames, none of another.

    Yields:
        time_s (never smaller than the one before), frame, (width, height) of its upright picture with square pixels.

    Raises:
        VideoError: `unreadable`, `no_video_stream`, or `times_run_backwards`: the file's time stamps do not say in
            which order its frames are shown.
    """
    with open_video(path) as (container, stream):
        offset_s = start_s(container)
        last_s = -math.inf
        if skip_unreferenced:
            stream.codec_context.skip_frame = "NONREF"
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
            if time_s >= start - HALF_MILLISECOND_S:
                yield time_s, frame, display_size(frame, stream)


class Ticks:
    """Chooses frames at a rate: the first at or after each tick.

    Args:
        rate_fps: ticks a second; None chooses every frame.
        start_s: the first tick.
    """

    def __init__(self, rate_fps: float | None, start_s: float = 0.0) -> None:
        self._rate_fps, self._start_s = rate_fps, start_s
        self._next_s = start_s - HALF_MILLISECOND_S

    def due(self, time_s: float) -> bool:
        """Whether the frame at this time is chosen; asked once a frame, in order."""
        if time_s < self._next_s:
            return False
        if self._rate_fps is not None:
            ticks = int((time_s - self._start_s + HALF_MILLISECOND_S) * self._rate_fps)
            self._next_s = self._start_s + (ticks + 1) / self._rate_fps - HALF_MILLISECOND_S
        return True


def frames(
    path: str | Path,
    *,
    rate_fps: float | None = None,
    longest_side_px: int | None = None,
    start: float = 0.0,
    end: float | None = None,
) -> Iterator[tuple[float, np.ndarray]]:
    """Decode a video to pictures, in one thread.

    Args:
        path, start, end: as for `decoded`.
        rate_fps: yield no more than this many frames a second (the first at or after each tick); None yields all.
        longest_side_px: shrink pictures whose longer side is longer; None keeps the size.

    Yields:
        time_s (never smaller than the one before), picture (H, W, 3) uint8 RGB, upright, with square pixels. Where
        the file changes its size midway, later pictures are stretched to the first one's.

    Raises:
        VideoError: as `decoded`.
    """
    ticks, size_px = Ticks(rate_fps, start), None
    for time_s, frame, shown_px in decoded(path, start=start, end=end):
        if ticks.due(time_s):
            size_px = size_px or limited(shown_px, longest_side_px)
            yield time_s, to_rgb(frame, *size_px)


def thumbnail(frame: "av.VideoFrame", longest_side_px: int) -> np.ndarray:
    """A small picture of a frame for comparing frames, (H, W, 3) uint8 BGR: as stored, not turned upright."""
    from av.video.reformatter import Interpolation

    width_px, height_px = limited((frame.width, frame.height), longest_side_px)
    return frame.to_ndarray(
        format="bgr24", width=width_px, height=height_px, interpolation=Interpolation.AREA, threads=1
    )


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


def limited(size_px: tuple[int, int], longest_side_px: int | None) -> tuple[int, int]:
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
