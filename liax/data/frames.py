"""Chosen frames of a clip, decoded from the nearest key frame. Shapes: H W pixels, C = 3 RGB."""

import io
from bisect import bisect_right
from collections.abc import Collection, Sequence
from contextlib import closing

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from liax.errors import VideoError
from liax.video.decode import to_rgb

_OPEN_AT_ONCE = {"probesize": "32"}
"""FFmpeg's least. Else it decodes the file's beginning, sound too, to learn what an mp4 says of itself: 2 of the 13 ms
that a pair takes at 512 px."""


class OpenClip:
    """A clip that has a constant rate and starts at time 0, opened for any number of readings.

    Args:
        video: the mp4 file.
        fps: the clip's rate.
        name: of the clip, for errors.
        keyframes: frames at which decoding can start, in order: wanted ones between the same two are decoded in one go.

    Raises:
        VideoError: it is no video.
    """

    def __init__(self, video: bytes, fps: float, name: str, keyframes: Sequence[int] = ()) -> None:
        self.size_bytes, self._fps, self._name, self._keyframes = len(video), fps, name, keyframes
        try:
            container = av.open(io.BytesIO(video), options=_OPEN_AT_ONCE)
            assert isinstance(container, av.container.InputContainer)  # opened for reading
            self._container, self._stream = container, container.streams.video[0]
        except (FFmpegError, IndexError, ValueError) as error:
            raise VideoError(name, "unreadable", str(error)) from None
        self._stream.thread_type = "NONE"  # loader processes are the parallelism

    def read(self, wanted: Collection[int]) -> dict[int, NDArray[np.uint8]]:
        """Decode some frames: the same whatever was read before.

        Args:
            wanted: frame numbers from 0.

        Returns:
            By frame number: uint8 H×W×3 RGB.

        Raises:
            VideoError: the clip cannot be decoded, is damaged in what was decoded, or has no such frame.
        """
        found: dict[int, NDArray[np.uint8]] = {}
        try:
            for group in _groups(sorted(set(wanted)), self._keyframes):
                found |= _decode(self._container, self._stream, group, self._fps, self._name)
        except (FFmpegError, IndexError, ValueError) as error:
            raise VideoError(self._name, "unreadable", str(error)) from None
        missing = sorted(set(wanted) - set(found))
        if missing:
            raise VideoError(self._name, "frame_missing", f"frame {missing[0]}")
        return found

    def close(self) -> None:
        """Give the decoder's memory back."""
        self._container.close()


def read_frames(
    video: bytes, wanted: Collection[int], fps: float, name: str, keyframes: Sequence[int] = ()
) -> dict[int, NDArray[np.uint8]]:
    """Open a clip for one reading. Arguments, result and errors as of `OpenClip` and its `read`."""
    with closing(OpenClip(video, fps, name, keyframes)) as clip:
        return clip.read(wanted)


def _groups(wanted: Sequence[int], keyframes: Sequence[int]) -> list[list[int]]:
    """The wanted frames, in order, by the key frame from which they are decoded."""
    groups: dict[int, list[int]] = {}
    for number in wanted:
        start = bisect_right(keyframes, number) if keyframes else -number - 1  # unknown: each by itself
        groups.setdefault(start, []).append(number)
    return list(groups.values())


def _decode(
    container: av.container.InputContainer, stream: av.VideoStream, wanted: Sequence[int], fps: float, name: str
) -> dict[int, NDArray[np.uint8]]:
    """Those of the wanted frames, which are in order, that there are."""
    assert stream.time_base is not None  # mp4 always states it
    start, frames_a_tick = stream.start_time or 0, float(fps * stream.time_base)
    found = {}
    # Half a frame late, so that rounding of the time base cannot land on the frame before.
    container.seek(start + int((wanted[0] + 0.5) / frames_a_tick), stream=stream, backward=True)
    for frame in container.decode(stream):
        if frame.pts is None:
            continue
        current = round((frame.pts - start) * frames_a_tick)
        if frame.is_corrupt:  # FFmpeg hides damage as well as it can, and the frames that follow build on it
            raise VideoError(name, "damaged", f"frame {current}")
        if current in wanted:
            found[current] = to_rgb(frame)
        if current >= wanted[-1]:
            break
    return found
