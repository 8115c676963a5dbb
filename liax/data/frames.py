"""Chosen frames of a clip, decoded from the nearest key frame. Shapes: H W pixels, C = 3 RGB."""

import io
from collections.abc import Collection

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from liax.errors import VideoError
from liax.video.decode import to_rgb


def read_frames(video: bytes, wanted: Collection[int], fps: float, name: str) -> dict[int, NDArray[np.uint8]]:
    """Decode some frames of a clip that has a constant rate and starts at time 0.

    Args:
        video: the mp4 file.
        wanted: frame numbers from 0.
        fps: the clip's rate.
        name: of the clip, for errors.

    Returns:
        By frame number: uint8 H×W×3 RGB.

    Raises:
        VideoError: the clip cannot be decoded, or has no such frame.
    """
    found: dict[int, NDArray[np.uint8]] = {}
    try:
        with av.open(io.BytesIO(video)) as container:
            assert isinstance(container, av.container.InputContainer)  # opened for reading
            stream = container.streams.video[0]
            stream.thread_type = "NONE"  # loader processes are the parallelism
            for number in sorted(wanted):
                if number not in found:
                    found |= _decode_one(container, stream, number, fps)
    except (FFmpegError, IndexError, ValueError) as error:
        raise VideoError(name, "unreadable", str(error)) from None
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise VideoError(name, "frame_missing", f"frame {missing[0]}")
    return found


def _decode_one(
    container: av.container.InputContainer, stream: av.VideoStream, number: int, fps: float
) -> dict[int, NDArray[np.uint8]]:
    assert stream.time_base is not None  # mp4 always states it
    start = stream.start_time or 0
    # Half a frame late, so that rounding of the time base cannot land on the frame before.
    container.seek(start + int((number + 0.5) / fps / stream.time_base), stream=stream, backward=True)
    for frame in container.decode(stream):
        if frame.pts is None:
            continue
        current = round(float((frame.pts - start) * stream.time_base) * fps)
        if current == number:
            return {number: to_rgb(frame)}
        if current > number:
            break
    return {}
